package dev.fovea.testkit.optimizer;

import dev.fovea.testkit.Expected;
import dev.fovea.testkit.optimizer.OptimizerCase.Numbers;
import dev.fovea.testkit.optimizer.OptimizerCase.Rule;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Naive steps in float64 over the exact values of the operands, by the formulas of fovea.h, with
 * the error that float32 arithmetic in their order may make, as {@link Tracked} follows it. Nothing
 * here is shared with any backend. Bits are more than a bound says: backends are held to {@link
 * Rounded}, and that, in every case, to this.
 */
public final class Oracle {

  private static final Tracked ONE = Tracked.of(1);

  private final OptimizerCase c;
  private final Tracked[] rates = new Tracked[4];

  private Oracle(OptimizerCase c, Operands data) {
    this.c = c;
    for (int i = 0; i < rates.length; i++) {
      rates[i] = Tracked.of(data.get("rates")[i]);
    }
  }

  /**
   * What must stand in the outputs of a case, by name, within bounds; an element is free where
   * float32 may overflow.
   */
  public static Map<String, Expected> run(OptimizerCase c, Operands data) {
    Map<String, Expected> all = new LinkedHashMap<>();
    c.layouts()
        .forEach(
            (name, layout) -> {
              if (c.table().operand(name).written()) {
                all.put(name, new Expected(c.type(c.table().operand(name)), layout.elements()));
              }
            });
    Oracle oracle = new Oracle(c, data);
    for (int row = 0; row < c.sizes().batch(); row++) {
      for (int i = 0; i < c.sizes().count(); i++) {
        Map<String, Tracked> stepped = oracle.step(data, row, i);
        for (Map.Entry<String, Expected> it : all.entrySet()) {
          expect(it.getValue(), c.at(it.getKey(), row, i), stepped.get(it.getKey()));
        }
      }
    }
    return all;
  }

  private static void expect(Expected expected, int at, Tracked it) {
    if (Double.isFinite(it.value()) || Double.isInfinite(it.error())) {
      expected.expectRounded(at, it.value(), it.error());
    } else {
      expected.expect(at, it.value(), 0);
    }
  }

  /**
   * Holds what a case is to give against the formulas.
   *
   * @throws IllegalStateException if they differ by more than float32 arithmetic can
   */
  static void check(OptimizerCase c, Operands data, Map<String, Expected> rounded) {
    run(c, data)
        .forEach(
            (name, exact) -> {
              for (int i = 0; i < exact.elements(); i++) {
                if (exact.state(i) == Expected.COMPARE
                    && !fits(rounded.get(name).value(i), exact, i)) {
                  throw new IllegalStateException(
                      "%s[%d] is to be %s, exact %s, allowed %.3g: %s"
                          .formatted(
                              name,
                              i,
                              rounded.get(name).value(i),
                              exact.value(i),
                              exact.allowed(i),
                              c));
                }
              }
            });
  }

  private static boolean fits(double got, Expected exact, int i) {
    return Double.isNaN(exact.value(i))
        ? Double.isNaN(got)
        : got == exact.value(i) || Math.abs(got - exact.value(i)) <= exact.allowed(i);
  }

  private Tracked operand(Operands data, String name, int row, int i) {
    return c.has(name) ? Tracked.of(data.get(name)[c.at(name, row, i)]) : null;
  }

  /** By the names of outputs. */
  private Map<String, Tracked> step(Operands data, int row, int i) {
    Numbers n = c.numbers();
    Tracked p = operand(data, "parameter", row, i);
    Tracked m = operand(data, "mean", row, i);
    Tracked v = operand(data, "square", row, i);
    Tracked g = operand(data, "gradient", row, i).times(rates[3]);
    Tracked decay = Tracked.of(n.weightDecay());
    Tracked beta1 = Tracked.of(n.beta1());
    Tracked beta2 = Tracked.of(n.beta2());
    Tracked kept = p.times(ONE.minus(rates[0].times(decay)));
    switch (c.rule()) {
      case ADAMW -> {
        m = mixed(m, g, beta1);
        v = beta2.times(v).plus(ONE.minus(beta2).times(g).times(g));
        Tracked root = v.times(rates[2]).root().plus(Tracked.of(n.epsilon()));
        p = kept.minus(rates[0].times(rates[1]).times(m).over(root));
      }
      case LION -> {
        p = kept.minus(rates[0].times(mixed(m, g, beta1).sign()));
        m = mixed(m, g, beta2);
      }
      default -> {
        Tracked decayed = n.weightDecay() == 0 ? g : g.plus(decay.times(p));
        m = m == null ? null : beta1.times(m).plus(decayed);
        Tracked ahead = c.rule() == Rule.NESTEROV ? decayed.plus(beta1.times(m)) : m;
        p = p.minus(rates[0].times(m == null ? decayed : ahead));
      }
    }
    Map<String, Tracked> all = new LinkedHashMap<>();
    all.put("parameter", p);
    all.put("out", p);
    all.put("mean", m);
    all.put("square", v);
    return all;
  }

  /** beta of one, and the rest of the other. */
  private static Tracked mixed(Tracked one, Tracked other, Tracked beta) {
    return beta.times(one).plus(ONE.minus(beta).times(other));
  }
}

package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Gaussian;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.Philox;
import dev.fovea.testkit.attention.AttentionCase.Content;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import org.junit.jupiter.api.Test;

/** The oracle against closed forms. */
class OracleTest {

  private static final double EXACT = 1e-13;

  private static Oracle.Outputs run(AttentionCase c) {
    return Oracle.run(c, Operands.of(c), Precision.CPU);
  }

  @Test
  void oneKeyGivesItsValue() {
    AttentionCase c = new CaseBuilder().lengths(2, 5, 1).heads(4, 2).headDim(7, 3).build();
    Operands data = Operands.of(c);
    Oracle.Outputs outputs = Oracle.run(c, data, Precision.CPU);
    Layout v = c.layouts().value();
    Layout out = c.layouts().out();
    for (int b = 0; b < 2; b++) {
      for (int i = 0; i < 5; i++) {
        for (int h = 0; h < 4; h++) {
          for (int d = 0; d < 3; d++) {
            double value = data.value()[v.at(b, 0, h / 2) + d];
            assertEquals(value, outputs.out().value(out.at(b, i, h) + d), EXACT);
          }
        }
      }
    }
  }

  @Test
  void oneKeyHasItsScoreAsLse() {
    AttentionCase c =
        new CaseBuilder()
            .lengths(1, 3, 1)
            .headDim(5)
            .scale(0.3f)
            .bias(Bias.FULL, DType.FLOAT32)
            .build();
    Operands data = Operands.of(c);
    Expected lse = Oracle.run(c, data, Precision.CPU).lse();
    for (int i = 0; i < 3; i++) {
      double score = 0;
      for (int d = 0; d < 5; d++) {
        score += (double) data.query()[i * 5 + d] * data.key()[d];
      }
      assertEquals(score * 0.3f + data.bias()[i], lse.value(i), EXACT);
    }
  }

  @Test
  void equalScoresGiveTheMean() {
    AttentionCase c = new CaseBuilder().lengths(1, 4, 50).scale(0).build();
    Operands data = Operands.of(c);
    Oracle.Outputs outputs = Oracle.run(c, data, Precision.CPU);
    for (int d = 0; d < 8; d++) {
      double sum = 0;
      for (int j = 0; j < 50; j++) {
        sum += data.value()[j * 8 + d];
      }
      assertEquals(sum / 50, outputs.out().value(d), EXACT);
    }
    assertEquals(Math.log(50), outputs.lse().value(0), EXACT);
  }

  @Test
  void weightsSumToOneAndGiveOut() {
    AttentionCase c =
        new CaseBuilder()
            .lengths(2, 9, 31)
            .heads(4, 2)
            .causal()
            .softcap(3)
            .outputs(true, true)
            .build();
    Operands data = Operands.of(c);
    Oracle.Outputs outputs = Oracle.run(c, data, Precision.CPU);
    for (int b = 0; b < 2; b++) {
      for (int h = 0; h < 4; h++) {
        for (int i = 0; i < 9; i++) {
          double sum = 0;
          double first = 0;
          for (int j = 0; j < 31; j++) {
            double p = outputs.weights().value(c.layouts().weights().at(b, h, i) + j);
            sum += p;
            first += p * data.value()[c.layouts().value().at(b, j, h / 2)];
          }
          assertEquals(1, sum, EXACT);
          assertEquals(first, outputs.out().value(c.layouts().out().at(b, i, h)), EXACT);
        }
      }
    }
  }

  @Test
  void sinksOnlyGrowTheSum() {
    CaseBuilder builder = new CaseBuilder().lengths(1, 6, 10);
    AttentionCase without = builder.build();
    AttentionCase with = builder.sinks().build();
    double sink = Operands.of(with).sinks()[0];
    Oracle.Outputs a = run(without);
    Oracle.Outputs b = run(with);
    for (int i = 0; i < 6; i++) {
      double lse = Math.log(Math.exp(a.lse().value(i)) + Math.exp(sink));
      assertEquals(lse, b.lse().value(i), EXACT);
      double factor = Math.exp(a.lse().value(i) - lse);
      assertEquals(a.out().value(8 * i) * factor, b.out().value(8 * i), EXACT);
    }
  }

  @Test
  void rowsThatSeeNothing() {
    // 6 queries, 2 keys: bottom-right, the first four queries are before every key.
    CaseBuilder builder = new CaseBuilder().lengths(1, 6, 2).causal();
    Oracle.Outputs outputs = run(builder.build());
    for (int i = 0; i < 4; i++) {
      assertEquals(0, outputs.out().value(8 * i));
      assertEquals(0, outputs.out().allowed(8 * i));
      assertEquals(Double.NEGATIVE_INFINITY, outputs.lse().value(i));
    }
    assertTrue(Double.isFinite(outputs.lse().value(4)));
    AttentionCase sinks = builder.sinks().build();
    assertEquals(Operands.of(sinks).sinks()[0], run(sinks).lse().value(0), EXACT);
    AttentionCase holes =
        new CaseBuilder()
            .bias(Bias.FULL, DType.FLOAT16)
            .content(Content.BIAS_ALL_MASKED, 3)
            .build();
    assertEquals(Double.NEGATIVE_INFINITY, run(holes).lse().value(2));
    assertEquals(0, run(holes).out().value(17));
  }

  /** What a query sees, counted from the definition. */
  @Test
  void visibility() {
    Gaussian random = new Gaussian(11);
    for (int n = 0; n < 3000; n++) {
      CaseBuilder builder =
          new CaseBuilder().lengths(1, random.between(1, 9), random.between(0, 9));
      if (random.chance(0.5)) {
        builder.causal();
      }
      if (random.chance(0.5)) {
        builder.topLeft();
      }
      long left = random.chance(0.2) ? Long.MAX_VALUE : random.between(-1, 9);
      long right = random.chance(0.2) ? Long.MAX_VALUE : random.between(-1, 9);
      AttentionCase c = builder.window(left, right).build();
      Geometry g = c.geometry();
      for (int i = 0; i < g.queryLength(); i++) {
        long position = c.options().topLeft() ? i : i + g.keyLength() - g.queryLength();
        for (int j = 0; j < g.keyLength(); j++) {
          boolean sees =
              (!c.options().causal() || j <= position)
                  && (left < 0 || position - j <= left)
                  && (right < 0 || j - position <= right);
          assertEquals(sees, j >= c.visibleBegin(0, i) && j < c.visibleEnd(0, i), c + " " + i);
        }
      }
    }
  }

  @Test
  void alibiIsABias() {
    for (boolean causal : new boolean[] {false, true}) {
      CaseBuilder builder =
          new CaseBuilder().lengths(1, 4, 6).scale(0).alibi(Alibi.PER_HEAD).outputs(true, true);
      AttentionCase c = causal ? builder.causal().build() : builder.build();
      double slope = Operands.of(c).alibi()[0];
      Expected weights = run(c).weights();
      for (int i = 0; i < 4; i++) {
        int position = i + 2;
        double neighbour = weights.value(6 * i + position - 1) / weights.value(6 * i + position);
        assertEquals(Math.exp(-slope), neighbour, EXACT);
        if (!causal && position < 5) {
          double right = weights.value(6 * i + position + 1) / weights.value(6 * i + position);
          assertEquals(Math.exp(-slope), right, EXACT);
        }
      }
    }
  }

  @Test
  void softcapBoundsScores() {
    AttentionCase c =
        new CaseBuilder().lengths(1, 5, 1).softcap(2).content(Content.EXTREME, 1).build();
    for (int i = 0; i < 5; i++) {
      assertTrue(Math.abs(run(c).lse().value(i)) <= 2);
    }
  }

  @Test
  void dropoutScalesWhatItKeeps() {
    CaseBuilder builder =
        new CaseBuilder().lengths(1, 40, 200).scale(0).content(Content.CONSTANT, 2);
    AttentionCase c = builder.dropout(0.5f, 42, 7).build();
    double value = Operands.of(c).value()[0];
    Oracle.Outputs outputs = run(c);
    boolean[] keep = new boolean[200];
    for (int i = 0; i < 40; i++) {
      Philox.keep(keep, 0, 200, i, 0, 42, 7, 32768);
      int kept = 0;
      for (boolean k : keep) {
        kept += k ? 1 : 0;
      }
      assertEquals(value * 2 * kept / 200, outputs.out().value(8 * i), 1e-12);
      assertEquals(Math.log(200), outputs.lse().value(i), EXACT);
    }
  }

  @Test
  void paddingGivesZero() {
    AttentionCase c =
        new CaseBuilder()
            .lengths(2, 4, 5)
            .ragged(new int[] {3, 0}, new int[] {2, 5})
            .outputs(true, true)
            .build();
    Oracle.Outputs outputs = run(c);
    assertEquals(Expected.COMPARE, outputs.out().state(c.layouts().out().at(0, 2, 0)));
    assertEquals(0, outputs.out().value(c.layouts().out().at(0, 3, 0)));
    assertEquals(0, outputs.out().allowed(c.layouts().out().at(1, 0, 0)));
    assertEquals(Double.NEGATIVE_INFINITY, outputs.lse().value(3));
    assertEquals(0, outputs.weights().value(2));
    assertEquals(Expected.COMPARE, outputs.weights().state(2));
  }
}

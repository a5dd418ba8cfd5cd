package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One linear attention to time.
 *
 * @param form which of its kind
 * @param pass forward or backward pass
 * @param dtype of query, key, value and out, and of their gradients
 * @param batch B
 * @param sequence S
 * @param heads H
 * @param headDim D, and Dv
 */
record LinearProblem(
    Form form, Pass pass, DType dtype, int batch, int sequence, int heads, int headDim)
    implements ComposedProblem {

  /** What is computed, and how many products of D by Dv a token has in each pass. */
  enum Form {
    /** elu + 1, normalised, all keys: Katharopoulos et al., 2020. */
    FULL(2, 5),
    /** The same up to the query. */
    CAUSAL(2, 5),
    /** Causal, with a decay for each head: Sun et al., 2023. */
    RETENTION(2, 5),
    /** The delta rule: Yang et al., 2024. */
    DELTA(3, 8);

    private final int products;
    private final int backwardProducts;

    Form(int products, int backwardProducts) {
      this.products = products;
      this.backwardProducts = backwardProducts;
    }
  }

  /** The problem that has targets, of a pass. */
  static LinearProblem headline(Pass pass) {
    return of(Form.CAUSAL, pass, 4096, 64);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<LinearProblem> all(int threads) {
    List<LinearProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      all.add(of(Form.FULL, pass, 4096, 64));
      all.add(headline(pass));
      all.add(of(Form.RETENTION, pass, 4096, 64));
      all.add(of(Form.DELTA, pass, 1024, 64));
      if (threads == 1) {
        all.add(of(Form.CAUSAL, pass, 4096, 128));
        all.add(headline(pass).as(DType.BFLOAT16));
      }
    }
    return all;
  }

  private static LinearProblem of(Form form, Pass pass, int sequence, int headDim) {
    return new LinearProblem(form, pass, DType.FLOAT32, 1, sequence, 8, headDim);
  }

  @Override
  public LinearProblem as(DType other) {
    return new LinearProblem(form, pass, other, batch, sequence, heads, headDim);
  }

  @Override
  public String shape() {
    return "%s, B %d, S %d, H %d, D = Dv = %d"
        .formatted(form.name().toLowerCase(Locale.ROOT), batch, sequence, heads, headDim);
  }

  @Override
  public FoveaLinear open() {
    return new FoveaLinear(this);
  }

  private double tokens() {
    return (double) batch * sequence * heads;
  }

  /** Of the recurrence: no form by chunks has fewer. */
  @Override
  public Floor floor() {
    int products = pass == Pass.BACKWARD ? form.backwardProducts : form.products;
    return Floor.flops(2.0 * products * tokens() * headDim * headDim);
  }

  /**
   * Tokens' rows, a state for each chunk, of the delta rule for each token where there is a graph.
   */
  @Override
  public double composedBytes() {
    boolean backward = pass == Pass.BACKWARD;
    double states =
        form == Form.DELTA ? (backward ? 3 : 0) : 3.0 / LinearComposition.chunk(sequence);
    return Float.BYTES * tokens() * headDim * ((backward ? 30 : 10) + states * headDim);
  }

  @Override
  public double differenceAllowed() {
    return differenceOfSums(sequence);
  }

  @Override
  public String toString() {
    return "linear %s %s %s".formatted(pass, dtype, shape());
  }
}

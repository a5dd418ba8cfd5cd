package dev.fovea.testkit.embedding;

import dev.fovea.ffi.NativeEmbedding;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of embedding lookup. */
public final class EmbeddingCases extends Operation {

  /** The operation. */
  public static final EmbeddingCases OPERATION = new EmbeddingCases();

  private EmbeddingCases() {
    super(NativeEmbedding.OPERATION);
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(pass, seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}

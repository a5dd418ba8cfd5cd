package dev.fovea.testkit.attention;

import dev.fovea.ffi.NativeAttention;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;
import java.util.List;

/** Random cases of attention to a cache of keys and values. */
public final class DecodeCases extends Operation {

  /** The operation. */
  public static final DecodeCases OPERATION = new DecodeCases();

  private DecodeCases() {
    super(NativeAttention.OPERATION, "decode", List.of(Pass.FORWARD));
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return DecodeGenerator.generate(seed, index, limits);
  }

  @Override
  public int widest(Limits limits) {
    return DecodeGenerator.WIDEST;
  }
}

package dev.fovea.testkit.image;

import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Operation;
import dev.fovea.testkit.Pass;

/** Random cases of channel attention. */
public final class ChannelCases extends Operation {

  /** The operation. */
  public static final ChannelCases OPERATION = new ChannelCases();

  private ChannelCases() {
    super(ImageCase.Kind.CHANNEL.table());
  }

  @Override
  public CheckedCase generate(Pass pass, long seed, long index, Limits limits) {
    return CaseGenerator.generate(ImageCase.Kind.CHANNEL, pass, seed, index, limits);
  }

  @Override
  public String width() {
    return "C";
  }

  @Override
  public int widest(Limits limits) {
    return CaseGenerator.WIDEST;
  }
}

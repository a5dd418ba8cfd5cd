package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.Style;
import org.junit.jupiter.api.Test;

/**
 * Kernels of warpgroups at the edges of their tiles and rings, on a simulated GPU of few
 * multiprocessors, and what they leave to others.
 */
class WarpgroupConformanceTest {

  private static final String WARPGROUPS = "flash_cuda_sm90_";

  private static final int[][] WIDTHS = {
    {64, 64}, {96, 96}, {128, 128}, {192, 128}, {192, 192}, {256, 256}, {40, 16}
  };

  private static final int[][] LENGTHS = {
    {63, 128}, {64, 129}, {65, 1}, {129, 255}, {193, 513}, {20, 700}, {385, 97}
  };

  private final Device device = PoisonedDevice.of(Device.byName("sim:sm_90"));

  private void assertRight(CheckedCase c, String kernel) {
    CheckedCase.Result result = c.check(device);
    assertNull(result.wrong(), c::toString);
    String took = result.plan().kernel();
    assertTrue(took.startsWith(kernel), () -> took + " took " + c);
  }

  private static CaseBuilder draw(int i, int[] widths, int[] lengths) {
    CaseBuilder c = new CaseBuilder().dtype(i % 2 == 0 ? DType.BFLOAT16 : DType.FLOAT16);
    c.headDim(widths[0], widths[1]).content(AttentionCase.Content.NORMAL, i);
    int group = new int[] {1, 2, 3, 8}[i % 4];
    c.heads(group, 1);
    switch (i % 5) {
      case 0 -> c.lengths(2, lengths[0], lengths[1]).causal();
      case 1 -> c.packed(new int[] {lengths[0], 7, 0}, new int[] {lengths[1], 0, 9});
      case 2 -> c.lengths(1, lengths[0], lengths[1]).window(40, 3);
      case 3 -> c.lengths(1, lengths[0], lengths[1]).sinks();
      default -> c.lengths(2, lengths[0], lengths[1]).ragged(null, new int[] {lengths[1] / 2, 0});
    }
    return c;
  }

  @Test
  void forwardAtTheEdgesOfTiles() {
    int i = 0;
    for (int[] widths : WIDTHS) {
      for (int[] lengths : LENGTHS) {
        if (i++ % 3 == 0) {
          assertRight(draw(i, widths, lengths).build(), WARPGROUPS);
        }
      }
    }
  }

  @Test
  void backwardAtTheEdgesOfTiles() {
    int i = 0;
    for (int[] widths : new int[][] {{64, 64}, {128, 128}, {40, 16}}) {
      for (int[] lengths : LENGTHS) {
        CaseBuilder forward = draw(4 * i + (i % 2), widths, lengths); // groups of 1 and 2
        BackwardBuilder c = new BackwardBuilder(forward);
        assertRight(i++ % 4 == 0 ? c.deterministic().build() : c.build(), WARPGROUPS + "backward_");
      }
    }
  }

  /** An address is no part of a plan: another kernel runs where it is no multiple of 16 bytes. */
  @Test
  void tensorsThatBeginElsewhereAreRightToo() {
    Style further = Style.gaps(Order.DENSE, 1, 0, 0, 0, 0);
    for (int which = 0; which < 3; which++) {
      CaseBuilder c = new CaseBuilder().dtype(DType.BFLOAT16).lengths(2, 70, 200).headDim(64);
      c.styles(
          which == 0 ? further : Style.DENSE,
          which == 1 ? further : Style.DENSE,
          which == 2 ? further : Style.DENSE,
          Style.DENSE);
      assertRight(c.guard(Side.BEGIN).build(), WARPGROUPS);
      assertRight(new BackwardBuilder(c).build(), WARPGROUPS + "backward_");
    }
  }

  @Test
  void whatTheyDoNotTakeIsSaid() {
    CaseBuilder c = new CaseBuilder().dtype(DType.BFLOAT16).lengths(1, 70, 200).headDim(64);
    assertRight(c.build(), WARPGROUPS);
    CaseBuilder odd = new CaseBuilder().dtype(DType.BFLOAT16).lengths(1, 70, 200).headDim(60);
    assertRight(odd.build(), "flash_cuda_sm80_bf16_128x64_d64");
    assertRight(c.softcap(5).build(), "flash_cuda_sm80_bf16_64x64_d64_general");
    Style apart = Style.gaps(Order.DENSE, 0, 0, 0, 0, 1);
    c.softcap(0).styles(apart, Style.DENSE, Style.DENSE, Style.DENSE);
    assertRight(c.build(), "flash_cuda_sm80_bf16_128x64_d64");
    CaseBuilder wide = new CaseBuilder().dtype(DType.FLOAT32).lengths(1, 70, 200).headDim(64);
    assertEquals(
        "flash_cuda_sm80_f32_64x32_d64_general", wide.build().check(device).plan().kernel());
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout.Order;
import dev.fovea.testkit.OnEveryDevice;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.attention.AttentionCase.Content;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/**
 * Every operand at addresses that allow copies of 16, 8, 4 and 2 bytes and no wider ones, because
 * of its base or because of one stride. A kernel that copies wider reads or writes beside its rows.
 */
class CopyWidthConformanceTest {

  private static final int WIDEST = 16;

  /** One of each size: what is copied is bytes. */
  private static final DType[] TYPES = {DType.FLOAT32, DType.BFLOAT16};

  /** What makes a row begin at an address that is no multiple of more. */
  private enum Place {
    BASE,
    BATCH,
    POSITION,
    HEAD
  }

  /**
   * A layout whose rows begin at multiples of {@code width} bytes, and not all of a larger number.
   */
  private static Style style(DType type, int width, Place place, int columns) {
    int full = WIDEST / Rounding.bytes(type);
    int odd = width / Rounding.bytes(type) % full;
    int pad = Math.floorMod(-columns, full);
    return switch (place) {
      case BASE -> Style.gaps(Order.DENSE, odd, 0, 0, 0, pad);
      case BATCH -> Style.gaps(Order.DENSE, 0, 0, odd, 0, pad);
      case POSITION -> Style.gaps(Order.DENSE, 0, 0, 0, odd, pad);
      case HEAD -> Style.gaps(Order.DENSE, 0, 0, 0, 0, pad + odd);
    };
  }

  /** Calls {@code each} with cases in which only the operand that it sets has an odd layout. */
  private static void forEach(DType type, BiConsumer<CaseBuilder, Style> each) {
    // Rows of whole chunks, and rows that end within one.
    int[] columns = {64, 21};
    int count = 0;
    for (int width = WIDEST; width >= Rounding.bytes(type); width /= 2) {
      for (Place place : width == WIDEST ? List.of(Place.BASE) : List.of(Place.values())) {
        int d = columns[count++ % columns.length];
        Style aligned = style(type, WIDEST, Place.BASE, d);
        CaseBuilder builder =
            new CaseBuilder()
                .dtype(type)
                .lengths(2, 17, 35)
                .heads(2, 2)
                .headDim(d)
                .content(Content.NORMAL, count)
                .guard(Side.BEGIN) // which is a multiple of more than 16 bytes
                .styles(aligned, aligned, aligned, aligned);
        builder.repeat =
            "copies of %d bytes because of the %s of an operand".formatted(width, place);
        each.accept(builder, style(type, width, place, d));
      }
    }
  }

  @OnEveryDevice
  void everyOperandOfTheForward(TestDevice on) {
    Failed failed = new Failed(on.device(), on.oneIn());
    List<BiConsumer<CaseBuilder, Style>> operands =
        List.of(
            (c, style) -> c.query = style,
            (c, style) -> c.key = style,
            (c, style) -> c.value = style,
            (c, style) -> c.out = style);
    for (DType type : TYPES) {
      for (BiConsumer<CaseBuilder, Style> operand : operands) {
        forEach(
            type,
            (c, style) -> {
              operand.accept(c, style);
              failed.check(c.build());
            });
      }
    }
    failed.orPass();
  }

  @OnEveryDevice
  void everyOperandOfTheBackward(TestDevice on) {
    Failed failed = new Failed(on.device(), on.oneIn());
    List<BiConsumer<BackwardBuilder, Style>> operands = new ArrayList<>();
    operands.add((c, style) -> c.forward.query = style);
    operands.add((c, style) -> c.forward.key = style);
    operands.add((c, style) -> c.forward.value = style);
    operands.add((c, style) -> c.forward.out = style);
    operands.add((c, style) -> c.dout = style);
    operands.add((c, style) -> c.dquery = style);
    operands.add((c, style) -> c.dkey = style);
    operands.add((c, style) -> c.dvalue = style);
    for (DType type : TYPES) {
      for (BiConsumer<BackwardBuilder, Style> operand : operands) {
        forEach(
            type,
            (forward, style) -> {
              Style aligned = forward.query;
              BackwardBuilder c = new BackwardBuilder(forward);
              c.styles(aligned, aligned, aligned, aligned, Style.DENSE);
              operand.accept(c, style);
              failed.check(c.build());
            });
      }
    }
    failed.orPass();
  }
}

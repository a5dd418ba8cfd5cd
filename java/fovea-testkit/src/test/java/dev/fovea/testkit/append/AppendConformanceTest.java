package dev.fovea.testkit.append;

import dev.fovea.DType;
import dev.fovea.testkit.Failed;
import dev.fovea.testkit.GuardedMemory.Side;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.MatrixStyle;
import dev.fovea.testkit.OnEveryGroup;
import dev.fovea.testkit.PoisonedDevice;
import dev.fovea.testkit.Style;
import dev.fovea.testkit.TestDevice;
import dev.fovea.testkit.TestGroup;
import dev.fovea.testkit.append.AppendCase.Content;
import dev.fovea.testkit.append.AppendCase.Order;
import dev.fovea.testkit.append.AppendSizes.Lengths;
import dev.fovea.testkit.append.CaseBuilder.Scales;
import dev.fovea.testkit.append.CaseBuilder.Sharing;
import java.util.List;

/** Grids of cases: every width of a row, place in a page, and place of an operand in memory. */
class AppendConformanceTest {

  private static final List<DType> CACHES =
      List.of(
          DType.FLOAT32,
          DType.FLOAT16,
          DType.BFLOAT16,
          DType.INT8,
          DType.INT4X2,
          DType.FLOAT8_E4M3);

  private static Failed failed(TestGroup on) {
    return new Failed(on.present().stream().map(PoisonedDevice::of).toList(), on.oneIn());
  }

  /** Rows as wide as vectors, one more or less, rotated in full, in part or not at all. */
  @OnEveryGroup
  void everyWidthOfARow(TestGroup on) {
    Failed failed = failed(on);
    int seed = 0;
    for (int columns = 1; columns <= 40; columns++) {
      for (DType cache : CACHES) {
        if (cache == DType.INT4X2 && columns % 2 == 1) {
          continue;
        }
        for (DType type : TestDevice.TYPES) {
          seed++;
          int pairs = seed % 3 == 0 ? 0 : seed % 3 == 1 ? columns / 2 : columns / 3;
          Scales scales = Scales.values()[seed % 4 % 3];
          failed.check(
              new CaseBuilder()
                  .dtype(type, cache)
                  .heads(
                      1 + seed % 2, columns, seed % 5 == 0 ? 0 : (columns + seed) % 38 / 2 * 2 + 2)
                  .starts(seed % 4, 5)
                  .rows(Lengths.FULL, 2, 2)
                  .rotated(pairs, seed % 2 == 0)
                  .scales(scales, scales)
                  .content(Content.NORMAL, seed)
                  .pages(seed % 7 < 4 ? 4 : 0)
                  .guard(seed % 2 == 0 ? Side.BEGIN : Side.END)
                  .build());
        }
      }
    }
    failed.orPass();
  }

  /** New rows from any row of a page to any of the same page or a later one. */
  @OnEveryGroup
  void everyPlaceInAPage(TestGroup on) {
    Failed failed = failed(on);
    int seed = 0;
    for (int page : new int[] {1, 2, 4, 8, 64}) {
      for (int start = 0; start <= page + 1; start += page > 8 ? 9 : 1) {
        for (int rows : new int[] {1, page - 1, page, page + 1, 2 * page + 1}) {
          seed++;
          DType cache = CACHES.get(3 + seed % 3);
          failed.check(
              new CaseBuilder()
                  .dtype(TestDevice.TYPES.get(seed % 2), cache)
                  .heads(2, 16, 8)
                  .starts(start, 2 * page + 1)
                  .rows(Lengths.PACKED, rows, 1 + seed % 3)
                  .room(seed % 2)
                  .rotated(seed % 4 == 0 ? 8 : 0, false)
                  .scales(
                      seed % 5 == 0 ? Scales.ROWS : Scales.SHARED,
                      seed % 7 == 0 ? Scales.ROWS : Scales.SHARED)
                  .content(seed % 2 == 0 ? Content.RISING : Content.NORMAL, seed)
                  .pages(page)
                  .build());
        }
      }
    }
    failed.orPass();
  }

  /** One operand alone begins where no packet does, or has rows that do not. */
  @OnEveryGroup
  void everyPlaceOfAnOperand(TestGroup on) {
    Failed failed = failed(on);
    int seed = 0;
    for (String moved : List.of("key", "value", "key_cache", "value_cache")) {
      for (DType cache : CACHES) {
        for (int offset : new int[] {0, 1, 2, 4, 8}) {
          for (int gap : new int[] {0, 1, 2, 4}) {
            seed++;
            failed.check(
                new CaseBuilder()
                    .dtype(TestDevice.TYPES.get(seed % 3), cache)
                    .heads(2, 16, 32)
                    .starts(1, 2)
                    .rows(Lengths.PADDED, 2, 3)
                    .rotated(seed % 2 * 8, seed % 4 == 1)
                    .scales(Scales.ROWS, Scales.SHARED)
                    .content(Content.NORMAL, seed)
                    .style(moved, Style.gaps(Layout.Order.DENSE, offset, 0, 0, 0, gap))
                    .pages(seed % 3 == 0 ? 0 : 2)
                    .build());
          }
        }
      }
    }
    failed.orPass();
  }

  /** Positions and tables for all sequences or for each, whatever way sequences are given. */
  @OnEveryGroup
  void everySharing(TestGroup on) {
    Failed failed = failed(on);
    int seed = 0;
    for (Lengths lengths : Lengths.values()) {
      for (Sharing tables : Sharing.values()) {
        for (Sharing positions : Sharing.values()) {
          for (Order order : Order.values()) {
            seed++;
            CaseBuilder c =
                new CaseBuilder()
                    .dtype(DType.BFLOAT16, CACHES.get(seed % 6))
                    .heads(3, 24, 24)
                    .starts(0, 7, 3)
                    .rows(
                        lengths,
                        lengths == Lengths.FULL ? new int[] {4, 4, 4} : new int[] {4, 0, 2})
                    .rotated(8, seed % 2 == 0)
                    .sharing(tables)
                    .positions(positions, order)
                    .scales(Scales.ROWS, Scales.ROWS)
                    .content(Content.NORMAL, seed)
                    .style("cosines", new MatrixStyle(seed % 3 == 0, 1, 3, 2, false))
                    .style("positions", new MatrixStyle(false, 2, 1, 0, false))
                    .pages(seed % 2 * 4);
            c.sparePositions = 5;
            failed.check(c.build());
          }
        }
      }
    }
    failed.orPass();
  }

  /** As many rows as take several tiles of a worker, by several of them. */
  @OnEveryGroup
  void manyRows(TestGroup on) {
    Failed failed = failed(on);
    int seed = 0;
    for (DType cache : CACHES) {
      for (int page : new int[] {0, 16}) {
        for (Scales scales : Scales.values()) {
          seed++;
          failed.check(
              new CaseBuilder()
                  .dtype(DType.BFLOAT16, cache)
                  .heads(4, 64, 64)
                  .starts(37)
                  .rows(Lengths.FULL, on.size(200, 70))
                  .rotated(32, seed % 2 == 0)
                  .scales(scales, scales)
                  .content(Content.OUTLIERS, seed)
                  .pages(page)
                  .parallelism(3)
                  .build());
        }
      }
    }
    failed.orPass();
  }

  /** More rotated rows of a page, or of a sequence, than a worker holds between two looks. */
  @OnEveryGroup
  void moreRowsThanAreHeld(TestGroup on) {
    Failed failed = failed(on);
    int seed = 0;
    for (DType cache : CACHES.subList(3, 6)) {
      for (int page : new int[] {0, 32, 64}) {
        seed++;
        failed.check(
            new CaseBuilder()
                .dtype(TestDevice.TYPES.get(seed % 3), cache)
                .heads(2, 576, 0)
                .starts(3)
                .rows(Lengths.FULL, 45)
                .rotated(seed % 2 == 0 ? 32 : 288, seed % 2 == 0)
                .scales(Scales.SHARED, Scales.NONE)
                .content(Content.RISING, seed)
                .pages(page)
                .build());
      }
    }
    failed.orPass();
  }
}

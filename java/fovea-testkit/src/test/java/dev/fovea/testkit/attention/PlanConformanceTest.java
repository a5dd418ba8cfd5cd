package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.Attention;
import dev.fovea.AttentionPlan;
import dev.fovea.AttentionShape;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.access.Devices;
import dev.fovea.ffi.FoveaDeviceInfo;
import dev.fovea.testkit.FakeBackend;
import dev.fovea.testkit.TestDevice;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Plans for GPUs that are not here: pure, so they can be made and looked at anywhere. */
class PlanConformanceTest {

  private static final int H200_SMS = 132; // multiprocessors of the simulated one

  private static final int[] HEAD_DIMS = {1, 3, 32, 64, 65, 80, 96, 128, 129, 192, 255, 256};

  private static List<Device> gpus() {
    return Device.all().stream().filter(d -> d.name().startsWith("sim:")).toList();
  }

  private static AttentionPlan plan(Device device, AttentionShape shape) {
    return Attention.create().plan(device, shape);
  }

  /** A GPU that is {@code device} but for what {@code change} does to its description. */
  private static Device other(Device device, Consumer<MemorySegment> change) {
    MemorySegment info = FoveaDeviceInfo.allocate(Arena.ofAuto());
    info.copyFrom(Devices.backend(device).info());
    change.accept(info);
    return Devices.of(new FakeBackend(Devices.backend(device).library(), info));
  }

  private static String refusal(Device device, AttentionShape shape) {
    return assertThrows(UnsupportedOperationException.class, () -> plan(device, shape))
        .getMessage();
  }

  @Test
  void oneDeviceForEachArchitecture() {
    assertEquals(
        List.of("sim:sm_80", "sim:sm_89", "sim:sm_90", "sim:sm_100"),
        gpus().stream().map(Device::name).toList());
    assertEquals("sim:sm_80", Device.byName("sim").name());
    for (Device device : gpus()) {
      assertTrue(device.description().contains("simulated"), device.description());
    }
  }

  @Test
  void everyHeadDimIsPlannedAndItsTilesFit() {
    for (Device device : gpus()) {
      long shared = FoveaDeviceInfo.SHARED_MEMORY.get(Devices.backend(device).info());
      for (DType type : TestDevice.TYPES) {
        for (int d : HEAD_DIMS) {
          for (int dv : new int[] {1, d, 256}) {
            AttentionPlan plan =
                plan(
                    device,
                    AttentionShape.dense(type, 2, 300, 500, 6, 2, d).valueHeadDim(dv).build());
            assertTrue(plan.kernel().contains("flash"), plan.toString());
            assertTrue(plan.tileQueries() > 0 && plan.tileKeys() > 0, plan.toString());
            long bytes = (long) plan.tileKeys() * (d + dv) * type.byteSize();
            assertTrue(bytes <= shared, plan + " of D " + d + ", Dv " + dv);
          }
        }
      }
    }
  }

  /**
   * An item is a tile of rows: the queries of the heads that share a key head, as far as tiles of
   * warpgroups hold whole positions of them.
   */
  @Test
  void itemsCoverAllRows() {
    for (Device device : gpus()) {
      for (int batch : new int[] {0, 1, 3}) {
        for (int queries : new int[] {0, 1, 21, 22, 64, 65, 128, 129, 1000}) {
          for (int[] heads : new int[][] {{1, 1}, {6, 2}, {8, 8}, {33, 1}}) {
            AttentionPlan plan =
                plan(
                    device,
                    AttentionShape.dense(DType.BFLOAT16, batch, queries, 77, heads[0], heads[1], 64)
                        .build());
            int group = heads[0] / heads[1];
            boolean warpgroups = plan.kernel().startsWith("flash_cuda_sm90");
            int shared = warpgroups && 64 % group != 0 ? 1 : group;
            long rows = (long) queries * shared;
            long tiles = (rows + plan.tileQueries() - 1) / plan.tileQueries();
            long items = batch * heads[0] / shared * tiles;
            // Blocks of warpgroups take one item after another.
            assertEquals(1, plan.phases(), plan.toString());
            assertEquals(warpgroups ? Math.min(items, H200_SMS) : items, plan.items(0));
          }
        }
      }
    }
  }

  /** What a row's bits depend on is the same on a GPU with other SMs. */
  @Test
  void tilesDoNotDependOnTheNumberOfMultiprocessors() {
    for (Device device : gpus()) {
      Device small = other(device, info -> FoveaDeviceInfo.MULTIPROCESSORS.set(info, 1));
      for (DType type : TestDevice.TYPES) {
        for (int d : HEAD_DIMS) {
          for (int queries : new int[] {1, 100, 5000}) {
            AttentionShape shape = AttentionShape.dense(type, 2, queries, 900, 4, 2, d).build();
            AttentionPlan plan = plan(device, shape);
            assertEquals(plan.kernel(), plan(small, shape).kernel());
            assertEquals(plan.tileKeys(), plan(small, shape).tileKeys());
          }
        }
      }
    }
  }

  /** Nor does the number of keys in a tile depend on the sizes of a call. */
  @Test
  void keysOfATileDependOnHeadDimAndTypeOnly() {
    for (Device device : gpus()) {
      for (DType type : TestDevice.TYPES) {
        for (int d : HEAD_DIMS) {
          AttentionPlan one =
              plan(device, AttentionShape.dense(type, 1, 1, 1, 1, 1, d).lse().build());
          AttentionPlan many =
              plan(device, AttentionShape.dense(type, 9, 3000, 9000, 12, 3, d).sinks().build());
          assertEquals(one.tileKeys(), many.tileKeys(), many.toString());
        }
      }
    }
  }

  @Test
  void headsTooWideAreRefusedByName() {
    for (Device device : gpus()) {
      for (DType type : TestDevice.TYPES) {
        for (int[] widths : new int[][] {{257, 64}, {64, 257}, {333, 333}, {576, 512}}) {
          String plain = plan(device, wide(type, widths).build()).kernel();
          assertTrue(plain.endsWith("_d576_parts"), plain);
          String said = "headDim is " + widths[0] + " and valueHeadDim " + widths[1];
          String refusal = refusal(device, wide(type, widths).weights().build());
          assertTrue(refusal.contains(said) && refusal.contains("weights take up to 256"), refusal);
          refusal = refusal(device, wide(type, widths).lse().backward().build());
          assertTrue(refusal.contains(said) && refusal.contains("pass take up to 256"), refusal);
          refusal = refusal(device, wide(type, widths).contentBias().build());
          assertTrue(
              refusal.contains(said) && refusal.contains("positionKeys take up to 128"), refusal);
        }
      }
    }
  }

  private static AttentionShape.Builder wide(DType type, int[] widths) {
    return AttentionShape.dense(type, 1, 40, 4, 1, 1, widths[0]).valueHeadDim(widths[1]);
  }

  @Test
  void gpusTooOldAreRefusedByName() {
    AttentionShape shape = AttentionShape.dense(DType.FLOAT16, 1, 4, 4, 1, 1, 64).build();
    Device old = other(gpus().getFirst(), info -> FoveaDeviceInfo.COMPUTE_CAPABILITY.set(info, 75));
    String refusal = refusal(old, shape);
    assertTrue(refusal.contains("7.5") && refusal.contains("8.0"), refusal);
  }

  @Test
  void aGpuWithoutSharedMemoryIsRefused() {
    AttentionShape shape = AttentionShape.dense(DType.FLOAT32, 1, 4, 4, 1, 1, 256).build();
    Device poor = other(gpus().getFirst(), info -> FoveaDeviceInfo.SHARED_MEMORY.set(info, 4096));
    String refusal = refusal(poor, shape);
    assertTrue(refusal.contains("shared") && refusal.contains("4096"), refusal);
  }

  /**
   * Where two architectures take the same kernel and the same tiles, and their tensor cores add
   * alike, they give the same bits; where those do not, others.
   */
  @Test
  void architecturesOfTheSameTilesGiveTheSameBits() {
    int same = 0;
    int other = 0;
    for (DType type : TestDevice.TYPES) {
      AttentionCase c =
          new CaseBuilder()
              .dtype(type)
              .lengths(2, 70, 200)
              .heads(4, 2)
              .headDim(64)
              .causal()
              .build();
      Operands data = Operands.of(c);
      try (CaseRun first = new CaseRun(c, data, gpus().getFirst())) {
        byte[] expected = first.run().outputBytes();
        for (Device device : gpus().subList(1, gpus().size())) {
          try (CaseRun run = new CaseRun(c, data, device)) {
            if (!run.plan().kernel().equals(first.plan().kernel())
                || run.plan().tileKeys() != first.plan().tileKeys()) {
              continue;
            }
            byte[] bytes = run.run().outputBytes();
            if (addsLikeHopper(device) == addsLikeHopper(gpus().getFirst())) {
              assertArrayEquals(expected, bytes, run.plan().toString());
              same++;
            } else {
              assertFalse(Arrays.equals(expected, bytes), run.plan().toString());
              other++;
            }
          }
        }
      }
    }
    assertTrue(same > 0 && other > 0, "no two architectures take the same tiles");
  }

  private static boolean addsLikeHopper(Device device) {
    return Integer.parseInt(device.name().substring("sim:sm_".length())) >= 90;
  }

  @Test
  void everyHeadDimHasABackward() {
    for (Device device : gpus()) {
      for (DType type : TestDevice.TYPES) {
        for (int d : HEAD_DIMS) {
          for (int dv : new int[] {1, d, 256}) {
            AttentionShape shape =
                AttentionShape.dense(type, 2, 300, 500, 6, 2, d)
                    .valueHeadDim(dv)
                    .lse()
                    .backward()
                    .build();
            AttentionPlan plan = plan(device, shape);
            assertTrue(plan.kernel().contains("backward"), plan.toString());
            assertEquals(6, plan.phases(), plan.toString());
            long keyTiles = (500 + plan.tileKeys() - 1) / plan.tileKeys();
            assertEquals(2 * 2 * keyTiles, plan.items(1), plan.toString());
          }
        }
      }
    }
  }

  /**
   * Memory grows with the lengths, not with their product; sums of dquery are what most of it is.
   */
  @Test
  void theWorkspaceOfABackwardIsLinearInTheLength() {
    for (Device device : gpus()) {
      for (DType type : TestDevice.TYPES) {
        long[] bytes = new long[2];
        for (int i = 0; i < 2; i++) {
          int length = 8192 << (4 * i);
          var shape = AttentionShape.dense(type, 1, length, length, 4, 2, 64).lse().backward();
          bytes[i] = plan(device, shape.build()).workspaceBytes();
          long sums = 4L * length * 4 * 64;
          assertTrue(bytes[i] < 1.2 * sums, bytes[i] + " bytes for sums of " + sums);
          assertTrue(plan(device, shape.deterministic().build()).workspaceBytes() < sums / 8);
        }
        assertEquals(16, (double) bytes[1] / bytes[0], 0.5);
      }
    }
  }

  /** The width of a bias is what a caller says of the longest keys, however few there are. */
  @Test
  void backwardsTooLargeForAGridAreRefused() {
    long longest = Integer.MAX_VALUE - 1024;
    AttentionShape tiles =
        AttentionShape.packed(DType.FLOAT32, 1L << 29, longest, longest, 1, 1, 1, 1, 1)
            .lse()
            .bias(DType.FLOAT32, 0, longest, longest)
            .dbias(0, longest, longest)
            .build();
    for (Device device : gpus()) {
      String refusal = refusal(device, tiles);
      assertTrue(refusal.contains("tiles"), refusal);
    }
    assertTrue(plan(Device.cpu(), tiles).items(3) > 1L << 50);
  }

  @Test
  void backwardsTooLargeForAWorkspaceAreRefused() {
    long rows = Integer.MAX_VALUE;
    AttentionShape shape =
        AttentionShape.packed(DType.FLOAT32, 1, rows, 1, rows, 1, 1 << 27, 1, 1)
            .lse()
            .backward()
            .build();
    Exception refusal =
        assertThrows(IllegalArgumentException.class, () -> plan(Device.cpu(), shape));
    assertTrue(refusal.getMessage().contains("workspace"), refusal.getMessage());
  }

  private static AttentionShape shapeOf(boolean packed, long... n) {
    return (packed
            ? AttentionShape.packed(DType.FLOAT32, n[0], n[1], n[2], n[7], n[8], n[3], n[4], n[5])
            : AttentionShape.dense(DType.FLOAT32, n[0], n[1], n[2], n[3], n[4], n[5]))
        .valueHeadDim(n[6])
        .lse()
        .weights()
        .build();
  }

  /** By the planner, or before it where strides of dense operands would overflow. */
  @Test
  void sizesBeyondTheirRangeAreRefusedByName() {
    String[] names = {
      "batch",
      "queryLength",
      "keyLength",
      "queryHeads",
      "keyHeads",
      "headDim",
      "valueHeadDim",
      "queryTotal",
      "keyTotal"
    };
    List<Device> devices = new ArrayList<>(gpus());
    devices.add(Device.cpu());
    long[] wrong = {1L << 31, 1L << 32, 1L << 40, (1L << 62) + 5, Long.MAX_VALUE};
    int planned = 0;
    for (int size = 0; size < names.length; size++) {
      for (boolean packed : new boolean[] {false, true}) {
        for (long value : wrong) {
          long[] sizes = {1, 4, 4, 1, 1, 8, 8, 4, 4};
          sizes[size] = value;
          if (size > 6 && !packed) {
            continue;
          }
          AttentionShape shape;
          try {
            shape = shapeOf(packed, sizes);
          } catch (IllegalArgumentException overflow) {
            assertTrue(overflow.getMessage().contains(Long.toString(value)));
            assertTrue(overflow.getMessage().endsWith("overflows 64 bits"), overflow.getMessage());
            continue;
          }
          for (Device device : devices) {
            String refusal =
                assertThrows(IllegalArgumentException.class, () -> plan(device, shape))
                    .getMessage();
            assertTrue(refusal.contains(names[size] + " is " + value), refusal);
            planned++;
          }
        }
      }
    }
    assertTrue(planned > 200, "the planner has seen " + planned);
  }

  /** Each size is within its range, and their products are not. */
  @Test
  void stridesThatOverflowAreRefused() {
    long most = Integer.MAX_VALUE;
    for (long[] sizes :
        new long[][] {
          {2, 1, most, most, most, 512, 512},
          {2, most, 1, most, 1, 512, 512},
          {1, most, most, most, 1, 1, 1}
        }) {
      String refusal =
          assertThrows(IllegalArgumentException.class, () -> shapeOf(false, sizes)).getMessage();
      assertTrue(refusal.contains("2147483647"), refusal);
      assertTrue(refusal.endsWith("overflows 64 bits"), refusal);
    }
  }

  @Test
  void gradientsThatAreNotAskedForAreNoWork() {
    Device device = gpus().getFirst();
    var shape =
        AttentionShape.dense(DType.FLOAT16, 2, 100, 200, 4, 2, 64)
            .lse()
            .bias(DType.FLOAT16, 0, 20_000, 200)
            .sinks()
            .backward();
    AttentionPlan none = plan(device, shape.build());
    assertEquals(0, none.items(3) + none.items(4) + none.items(5), none.toString());
    AttentionPlan all = plan(device, shape.dbias(0, 20_000, 200).dsinks().build());
    assertTrue(all.items(3) > 0 && all.items(4) == 0 && all.items(5) == 4, all.toString());
  }
}

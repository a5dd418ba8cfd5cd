package dev.fovea.testkit.attention;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.Limits;
import dev.fovea.testkit.Pass;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import dev.fovea.testkit.attention.Options.QueryScales;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemoryLayout.PathElement;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The file's struct is that of the bindings, written a second time. */
class CaseFileTest {

  private static AttentionCase rich() {
    return new CaseBuilder()
        .dtype(DType.BFLOAT16)
        .lengths(2, 5, 9)
        .heads(4, 2)
        .headDim(3, 7)
        .causal()
        .window(3, -1)
        .scale(0.5f)
        .softcap(2)
        .bias(Bias.HEAD, DType.FLOAT32)
        .alibi(Alibi.PER_BATCH_HEAD)
        .dropout(0.25f, 99, 12)
        .outputs(true, true)
        .build();
  }

  private static long offset(String field) {
    return FoveaAttentionSpec.LAYOUT.byteOffset(PathElement.groupElement(field));
  }

  @Test
  void specIsTheStruct() {
    ByteBuffer spec = ByteBuffer.wrap(CaseContents.spec(rich())).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(spec.capacity(), spec.getInt((int) offset("size")));
    assertEquals(3, spec.getInt((int) offset("dtype")));
    assertEquals(1, spec.getInt((int) offset("bias_dtype")));
    assertEquals(1, spec.getInt((int) offset("causal")));
    assertEquals(1, spec.getInt((int) offset("has_window_left")));
    assertEquals(0, spec.getInt((int) offset("has_window_right")));
    assertEquals(1, spec.getInt((int) offset("has_weights")));
    assertEquals(0.5f, spec.getFloat((int) offset("scale")));
    assertEquals(0.25f, spec.getFloat((int) offset("dropout")));
    assertEquals(3, spec.getLong((int) offset("window_left")));
    assertEquals(9, spec.getLong((int) offset("key_length")));
    assertEquals(7, spec.getLong((int) offset("value_head_dim")));
    assertEquals(5 * 4 * 3, spec.getLong((int) offset("query_stride")));
    assertEquals(0, spec.getLong((int) offset("bias_stride")));
    assertEquals(9, spec.getLong((int) offset("bias_stride") + 8));
    assertEquals(4, spec.getLong((int) offset("alibi_slopes_stride")));
    assertEquals(1, spec.getLong((int) offset("alibi_slopes_stride") + 8));
  }

  @Test
  void queriesOfFloat8AreTheStruct() {
    Cache cache = Cache.ofRows(DType.FLOAT8_E4M3, Cache.Scales.PAGE);
    CaseBuilder c = new CaseBuilder().lengths(2, 5, 9).heads(6, 3);
    long[][] strides = {{3, 1}, {0, 1}, {1, 0}, {0, 0}};
    QueryScales[] shapes = {
      QueryScales.BATCH_HEAD, QueryScales.HEAD, QueryScales.BATCH, QueryScales.ONE
    };
    for (int i = 0; i < shapes.length; i++) {
      for (boolean expanded : new boolean[] {false, true}) {
        c.float8(shapes[i], cache).queryScalesExpanded = expanded;
        ByteBuffer block = ByteBuffer.wrap(CaseContents.spec(c.build()));
        block.order(ByteOrder.LITTLE_ENDIAN);
        assertEquals(6, block.getInt((int) offset("dtype")));
        assertEquals(1, block.getInt((int) offset("out_dtype")));
        assertEquals(6, block.getInt((int) offset("cache_dtype")));
        assertEquals(1, block.getInt((int) offset("has_query_scales")));
        int at = (int) offset("query_scales_stride");
        assertEquals(strides[i][0], block.getLong(at));
        assertEquals(strides[i][1], block.getLong(at + 8));
      }
    }
  }

  private static BackwardCase richBackward() {
    CaseBuilder forward =
        new CaseBuilder().lengths(2, 5, 9).heads(4, 2).headDim(3, 7).outDType(DType.FLOAT16);
    forward.bias(Bias.HEAD, DType.FLOAT32).alibi(Alibi.PER_HEAD).sinks();
    BackwardBuilder backward = new BackwardBuilder(forward).dtype(DType.BFLOAT16).accumulate();
    return backward.gradients(true, true, false).build();
  }

  private static int gradientsOffset(String field) {
    PathElement element = PathElement.groupElement(field);
    return (int) FoveaAttentionSpec.LAYOUT.byteOffset(element);
  }

  @Test
  void gradientsAreTheStruct() {
    ByteBuffer block = ByteBuffer.wrap(CaseContents.spec(richBackward()));
    block.order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(1, block.getInt(gradientsOffset("pass")));
    assertEquals(3, block.getInt(gradientsOffset("gradient_dtype")));
    assertEquals(0, block.getInt(gradientsOffset("deterministic")));
    assertEquals(1, block.getInt(gradientsOffset("accumulate")));
    assertEquals(1, block.getInt(gradientsOffset("has_dbias")));
    assertEquals(1, block.getInt(gradientsOffset("has_dalibi_slopes")));
    assertEquals(0, block.getInt(gradientsOffset("has_dsinks")));
    assertEquals(5 * 4 * 7, block.getLong(gradientsOffset("dout_stride")));
    assertEquals(5 * 4 * 3, block.getLong(gradientsOffset("dquery_stride")));
    assertEquals(9 * 2 * 3, block.getLong(gradientsOffset("dkey_stride")));
    assertEquals(2 * 7, block.getLong(gradientsOffset("dvalue_stride") + 8));
    assertEquals(0, block.getLong(gradientsOffset("dbias_stride")));
    assertEquals(9, block.getLong(gradientsOffset("dbias_stride") + 8));
    assertEquals(0, block.getLong(gradientsOffset("dalibi_slopes_stride")));
    assertEquals(1, block.getLong(gradientsOffset("dalibi_slopes_stride") + 8));
  }

  /** Twice each, so that what is added is seen not to be added to twice. */
  @Test
  void theDriverReplaysCases(@TempDir Path folder) throws Exception {
    Path built = Path.of(System.getProperty("fovea.native.sim.path")).getParent().getParent();
    List<String> command = new ArrayList<>();
    command.add(built.resolve("bin/fovea_replay").toString());
    command.add(built.resolve("lib/libfovea_cpu.so").toString());
    command.addAll(List.of("--threads", "2", "--repeat", "2"));
    for (Pass pass : Pass.values()) {
      for (int i = 0; i < 25; i++) {
        Path file = folder.resolve(pass + "-" + i);
        CaseFile.write(file, AttentionCases.OPERATION.generate(pass, 13, i, Limits.SIM), "cpu");
        command.add(file.toString());
      }
    }
    for (int i = 0, some = 0; some < 5; i++) {
      AttentionCase c = DecodeGenerator.generate(13, i, Limits.SIM);
      if (c.options().queryScales() != QueryScales.NONE) {
        Path file = folder.resolve("decode-" + some++);
        CaseFile.write(file, c, "cpu");
        command.add(file.toString());
      }
    }
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    List<String> lines = process.inputReader().lines().toList();
    String end = "{\"passed\": 55, \"failed\": 0, \"unsupported\": 0}";
    assertEquals(end, lines.getLast(), () -> String.join("\n", lines));
    assertEquals(0, process.waitFor());
  }

  @Test
  void fileBeginsWithItsMagicAndHoldsEverything() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CaseFile.write(bytes, rich(), "cpu");
    byte[] file = bytes.toByteArray();
    assertEquals("FOVCASE2", new String(file, 0, 8, StandardCharsets.US_ASCII));
    // 2*5*4*7 values with two doubles each, and as many again and more for weights.
    assertTrue(file.length > 16 * (280 + 360) + 344);
  }
}

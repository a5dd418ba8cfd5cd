package dev.fovea.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.testkit.Options.Alibi;
import dev.fovea.testkit.Options.Bias;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemoryLayout.PathElement;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

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
    assertEquals(FoveaAttentionSpec.LAYOUT.byteSize(), CaseFile.SPEC_BYTES);
    ByteBuffer spec = ByteBuffer.wrap(CaseFile.spec(rich())).order(ByteOrder.LITTLE_ENDIAN);
    assertEquals(CaseFile.SPEC_BYTES, spec.getInt((int) offset("size")));
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
    assertEquals(4, spec.getLong((int) offset("alibi_stride")));
    assertEquals(1, spec.getLong((int) offset("alibi_stride") + 8));
  }

  @Test
  void fileBeginsWithItsMagicAndHoldsEverything() throws Exception {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CaseFile.write(bytes, rich(), Precision.CPU);
    byte[] file = bytes.toByteArray();
    assertEquals("FOVCASE1", new String(file, 0, 8, StandardCharsets.US_ASCII));
    // 2*5*4*7 values with two doubles each, and as many again and more for weights.
    assertTrue(file.length > 16 * (280 + 360) + 344);
  }
}

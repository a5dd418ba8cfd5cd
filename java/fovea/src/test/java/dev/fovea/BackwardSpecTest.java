package dev.fovea;

import static dev.fovea.SmallOperands.denseBackward;
import static dev.fovea.SmallOperands.floats;
import static dev.fovea.SmallOperands.ints;
import static dev.fovea.SmallOperands.of;
import static dev.fovea.SmallOperands.packedBackward;
import static dev.fovea.SmallOperands.tensor;
import static dev.fovea.SmallOperands.withGradients;
import static dev.fovea.Specs.assertStrides;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.FoveaAttentionSpec;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** Gradients that do not fit their call are named, with what they are and what was expected. */
class BackwardSpecTest {
  private static void assertRefused(String expected, Consumer<Bindings> change) {
    Bindings operands = denseBackward();
    change.accept(operands);
    assertEquals(
        expected,
        assertThrows(IllegalArgumentException.class, () -> Specs.backward(operands)).getMessage());
  }

  @Test
  void denseGradients() {
    AttentionShape expected =
        AttentionShape.dense(DType.FLOAT32, 2, 3, 5, 4, 2, 8)
            .valueHeadDim(6)
            .lse()
            .backward(DType.FLOAT32)
            .build();
    Specs.assertSame(expected, Specs.backward(denseBackward()));
  }

  @Test
  void packedGradients() {
    AttentionShape expected =
        AttentionShape.packed(DType.FLOAT32, 2, 4, 9, 7, 11, 4, 2, 8)
            .valueHeadDim(6)
            .lse()
            .backward(DType.FLOAT32)
            .build();
    Bindings operands = packedBackward();
    Specs.assertSame(expected, Specs.backward(operands));
    operands.set("bias", tensor(DType.BFLOAT16, 1, 7, 9));
    operands.set("dbias", floats(1, 7, 9));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DBIAS_STRIDE, 0, 0, 9);
    operands.set("bias", floats(4, 7, 9));
    operands.set("dbias", floats(4, 7, 9));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DBIAS_STRIDE, 0, 63, 9);
  }

  /** One row of a packed bias is for all rows; where these are one, it is their sum as well. */
  @Test
  void aPackedBatchOfOneRow() {
    Bindings operands =
        withGradients(
            of(floats(1, 4, 8), floats(11, 2, 8), floats(11, 2, 6), floats(1, 4, 6)), floats(4, 1));
    operands.set("cu_seqlens_q", ints(2));
    operands.set("cu_seqlens_k", ints(2));
    operands.longest("query_length", 1);
    operands.longest("key_length", 11);
    operands.set("bias", floats(4, 1, 11));
    operands.set("dbias", floats(4, 1, 11));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DBIAS_STRIDE, 0, 11, 0);
  }

  @Test
  void whatElseMayBeWanted() {
    Bindings operands = denseBackward();
    operands.set("alibi_slopes", floats(4));
    operands.set("sinks", floats(4));
    operands.set("dalibi_slopes", floats(4));
    operands.set("dsinks", floats(4));
    MemorySegment spec = Specs.backward(operands);
    assertEquals(1, FoveaAttentionSpec.HAS_DSINKS.get(spec));
    assertEquals(1, FoveaAttentionSpec.HAS_DALIBI_SLOPES.get(spec));
    assertEquals(0, FoveaAttentionSpec.HAS_DBIAS.get(spec));
    assertStrides(spec, FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, 0, 1);
    operands.set("alibi_slopes", floats(2, 4));
    operands.set("dalibi_slopes", floats(4, 2).permute(1, 0));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, 1, 2);
  }

  @Test
  void anyFloatingTypeAndStrideOrder() {
    for (DType type : new DType[] {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16}) {
      Bindings operands = denseBackward();
      operands.set("dquery", tensor(type, 2, 4, 3, 8).permute(0, 2, 1, 3));
      operands.set("dkey", tensor(type, 5, 2, 2, 8).permute(1, 0, 2, 3));
      operands.set("dvalue", tensor(type, 2, 5, 2, 6));
      operands.set("dout", floats(2, 4, 3, 6).permute(0, 2, 1, 3));
      MemorySegment spec = Specs.backward(operands);
      assertEquals(type.code(), FoveaAttentionSpec.GRADIENT_DTYPE.get(spec));
      assertStrides(spec, FoveaAttentionSpec.DOUT_STRIDE, 72, 6, 18);
      assertStrides(spec, FoveaAttentionSpec.DQUERY_STRIDE, 96, 8, 24);
      assertStrides(spec, FoveaAttentionSpec.DKEY_STRIDE, 16, 32, 8);
      assertStrides(spec, FoveaAttentionSpec.DVALUE_STRIDE, 60, 12, 6);
    }
  }

  @Test
  void theGradientOfOutMayRepeat() {
    Bindings operands = denseBackward();
    operands.set(
        "dout",
        Tensor.of(
            Arena.ofAuto().allocate(64, 64),
            DType.FLOAT32,
            new long[] {2, 3, 4, 6},
            new long[] {0, 0, 0, 1}));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DOUT_STRIDE, 0, 0, 0);
  }

  /** Of size 1 it is broadcast, and its gradient a sum; stride 0 of the bias alone is neither. */
  @Test
  void whatTheGradientOfTheBiasIsSummedOver() {
    Bindings operands = denseBackward();
    for (boolean[] one :
        new boolean[][] {
          {false, false, false}, {true, false, false}, {false, true, false}, {true, true, true}
        }) {
      long[] sizes = {one[0] ? 1 : 2, one[1] ? 1 : 4, one[2] ? 1 : 3, 5};
      operands.set("bias", tensor(DType.FLOAT16, sizes));
      operands.set("dbias", floats(sizes));
      assertStrides(
          Specs.backward(operands),
          FoveaAttentionSpec.DBIAS_STRIDE,
          one[0] ? 0 : operands.get("dbias").stride(0),
          one[1] ? 0 : operands.get("dbias").stride(1),
          one[2] ? 0 : operands.get("dbias").stride(2));
    }
    operands.set(
        "bias",
        Tensor.of(
            Arena.ofAuto().allocate(64, 64),
            DType.FLOAT32,
            new long[] {2, 4, 3, 5},
            new long[] {0, 0, 0, 1}));
    operands.set("dbias", floats(2, 4, 3, 5));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DBIAS_STRIDE, 60, 15, 5);
  }

  /** Where there are no elements, no two are the same. */
  @Test
  void anEmptyGradientOfTheBiasMayHaveAnyStrides() {
    Bindings operands =
        withGradients(
            of(floats(2, 3, 4, 8), floats(2, 0, 2, 8), floats(2, 0, 2, 6), floats(2, 3, 4, 6)),
            floats(2, 4, 3));
    long[] sizes = {2, 4, 3, 0};
    operands.set("bias", floats(sizes));
    operands.set(
        "dbias",
        Tensor.of(Arena.ofAuto().allocate(64, 64), DType.FLOAT32, sizes, new long[] {0, 0, 0, 1}));
    assertStrides(Specs.backward(operands), FoveaAttentionSpec.DBIAS_STRIDE, 1, 1, 1);
  }

  /** To the planner stride 0 is a sum, so it must not come from a view that repeats elements. */
  @Test
  void gradientsThatRepeatElementsAreNoSums() {
    long[] sizes = {2, 4, 3, 5};
    for (int dim = 0; dim < 3; dim++) {
      long[] strides = {60, 15, 5, 1};
      strides[dim] = 0;
      int repeated = dim;
      assertRefused(
          "dbias has stride 0 in dimension %d of size %d, expected distinct elements"
              .formatted(dim, sizes[dim]),
          o -> {
            o.set("bias", floats(sizes));
            o.set("dbias", Tensor.of(floats(sizes).segment(), DType.FLOAT32, sizes, strides));
            assertEquals(0, o.get("dbias").stride(repeated));
          });
    }
    assertRefused(
        "dalibiSlopes has stride 0 in dimension 0 of size 2, expected distinct elements",
        o -> {
          o.set("alibi_slopes", floats(2, 4));
          o.set(
              "dalibi_slopes",
              Tensor.of(floats(8).segment(), DType.FLOAT32, new long[] {2, 4}, new long[] {0, 1}));
        });
    // Without a batch there is nothing to sum over either, and no element to write a sum to.
    Bindings empty =
        withGradients(
            of(floats(0, 3, 4, 8), floats(0, 5, 2, 8), floats(0, 5, 2, 6), floats(0, 3, 4, 6)),
            floats(0, 4, 3));
    empty.set("bias", floats(0, 4, 3, 5));
    empty.set(
        "dbias",
        Tensor.of(
            floats(1).segment(), DType.FLOAT32, new long[] {0, 4, 3, 5}, new long[] {0, 15, 5, 1}));
    assertStrides(Specs.backward(empty), FoveaAttentionSpec.DBIAS_STRIDE, 1, 15, 5);
  }

  @Test
  void wrongShapes() {
    assertRefused(
        "dout has shape [2, 3, 4, 8], expected that of out = [2, 3, 4, 6]",
        o -> o.set("dout", floats(2, 3, 4, 8)));
    assertRefused(
        "dquery has shape [2, 3, 4], expected that of query = [2, 3, 4, 8]",
        o -> o.set("dquery", floats(2, 3, 4)));
    assertRefused(
        "dkey has shape [2, 5, 4, 8], expected that of key = [2, 5, 2, 8]",
        o -> o.set("dkey", floats(2, 5, 4, 8)));
    assertRefused(
        "dvalue has shape [2, 5, 2, 8], expected that of value = [2, 5, 2, 6]",
        o -> o.set("dvalue", floats(2, 5, 2, 8)));
    assertRefused(
        "dbias has shape [2, 4, 3, 5], expected that of bias = [1, 4, 3, 5]",
        o -> {
          o.set("bias", floats(1, 4, 3, 5));
          o.set("dbias", floats(2, 4, 3, 5));
        });
    assertRefused(
        "dalibiSlopes has shape [2, 4], expected that of alibiSlopes = [4]",
        o -> {
          o.set("alibi_slopes", floats(4));
          o.set("dalibi_slopes", floats(2, 4));
        });
    assertRefused(
        "dsinks has shape [2], expected that of sinks = [4]",
        o -> {
          o.set("sinks", floats(4));
          o.set("dsinks", floats(2));
        });
  }

  @Test
  void wrongTypes() {
    assertRefused(
        "dout is FLOAT16, expected FLOAT32", o -> o.set("dout", tensor(DType.FLOAT16, 2, 3, 4, 6)));
    assertRefused(
        "dquery is INT32, expected a floating type",
        o -> o.set("dquery", tensor(DType.INT32, 2, 3, 4, 8)));
    assertRefused(
        "dkey is FLOAT32, expected BFLOAT16",
        o -> o.set("dquery", tensor(DType.BFLOAT16, 2, 3, 4, 8)));
    assertRefused(
        "dvalue is FLOAT16, expected FLOAT32",
        o -> o.set("dvalue", tensor(DType.FLOAT16, 2, 5, 2, 6)));
    assertRefused(
        "dbias is FLOAT16, expected FLOAT32",
        o -> {
          o.set("bias", tensor(DType.FLOAT16, 2, 4, 3, 5));
          o.set("dbias", o.get("bias"));
        });
  }

  @Test
  void gapsInTheLastDimension() {
    assertRefused(
        "dout has stride 4 in its last dimension, expected 1",
        o -> o.set("dout", floats(2, 3, 6, 4).permute(0, 1, 3, 2)));
    assertRefused(
        "dquery has stride 4 in its last dimension, expected 1",
        o -> o.set("dquery", floats(2, 3, 8, 4).permute(0, 1, 3, 2)));
    assertRefused(
        "dbias has stride 3 in its last dimension, expected 1",
        o -> {
          o.set("bias", floats(2, 4, 3, 5));
          o.set("dbias", floats(2, 4, 5, 3).permute(0, 1, 3, 2));
        });
    assertRefused(
        "dsinks has stride 2 in its last dimension, expected 1",
        o -> {
          o.set("sinks", floats(4));
          o.set("dsinks", floats(4, 2).select(1, 0));
        });
  }

  /** What is broadcast in the forward pass is summed over, or refused if it repeats elements. */
  @Test
  void whatTheGradientOfSlopesIsSummedOver() {
    long[][] shapes = {{4}, {1}, {2, 4}, {1, 4}, {2, 1}, {1, 1}};
    long[][] strides = {{0, 1}, {0, 0}, {4, 1}, {0, 1}, {1, 0}, {0, 0}};
    for (int i = 0; i < shapes.length; i++) {
      for (Bindings operands : new Bindings[] {denseBackward(), packedBackward()}) {
        operands.set("alibi_slopes", floats(shapes[i])).set("dalibi_slopes", floats(shapes[i]));
        assertStrides(
            Specs.backward(operands), FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, strides[i]);
      }
    }
    assertRefused(
        "dalibiSlopes has shape [1, 4], expected that of alibiSlopes = [4]",
        o -> o.set("alibi_slopes", floats(4)).set("dalibi_slopes", floats(1, 4)));
    assertRefused(
        "dalibiSlopes has stride 0 in dimension 0 of size 4, expected distinct elements",
        o -> {
          o.set("alibi_slopes", floats(4));
          o.set(
              "dalibi_slopes",
              Tensor.of(floats(1).segment(), DType.FLOAT32, new long[] {4}, new long[] {0}));
        });
  }

  private static final String SWAPPED =
      ": is that [B, Hq, Sq, D]? permute(0, 2, 1, 3) makes it [B, Sq, Hq, D]";

  /** Told of a backward pass as of its forward. */
  @Test
  void headsBeforePositions() {
    NativeTest.requireLibrary();
    Bindings operands =
        withGradients(
            of(floats(2, 8, 6, 4), floats(2, 8, 5, 4), floats(2, 8, 5, 4), floats(2, 8, 6, 4)),
            floats(2, 8, 6));
    String message =
        assertThrows(
                IllegalArgumentException.class,
                () -> AttentionPlan.of(Attention.create().options(), operands.of(Abi.BACKWARD)))
            .getMessage();
    assertEquals(
        "lse has shape [2, 8, 6], expected [B, Hq, Sq] = [2, 6, 8]; query is [2, 8, 6, 4]"
            + SWAPPED,
        message);
  }
}

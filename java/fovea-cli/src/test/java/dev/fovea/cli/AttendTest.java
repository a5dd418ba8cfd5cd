package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Comparison;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.Rounding;
import dev.fovea.testkit.attention.AttentionCase;
import dev.fovea.testkit.attention.Blocks;
import dev.fovea.testkit.attention.CaseBuilder;
import dev.fovea.testkit.attention.Gates;
import dev.fovea.testkit.attention.ImageWindow;
import dev.fovea.testkit.attention.Operands;
import dev.fovea.testkit.attention.Options.Alibi;
import dev.fovea.testkit.attention.Options.Bias;
import dev.fovea.testkit.attention.Oracle;
import dev.fovea.testkit.attention.Positions;
import dev.fovea.testkit.attention.Precision;
import dev.fovea.testkit.attention.Relative;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The command {@code attend} against the oracle. */
class AttendTest {

  @TempDir private Path folder;

  private NpyFiles files;

  @BeforeEach
  void nameFiles() {
    files = new NpyFiles(folder);
  }

  private CaseBuilder sizes() {
    return new CaseBuilder().lengths(2, 19, 19).heads(4, 4).headDim(24).outputs(true, true);
  }

  @Test
  void plain() throws IOException {
    check(sizes().build());
  }

  @Test
  void causalRectangular() throws IOException {
    check(sizes().lengths(2, 7, 30).causal().build(), "--causal");
    check(sizes().lengths(2, 7, 30).causal().topLeft().build(), "--causal=top-left");
    check(sizes().lengths(2, 30, 7).causal().build(), "--causal=bottom-right");
  }

  @Test
  void groupedHeads() throws IOException {
    check(sizes().heads(6, 2).headDim(16, 40).build());
  }

  @Test
  void bias() throws IOException {
    check(sizes().bias(Bias.FULL, DType.FLOAT32).build());
    check(sizes().bias(Bias.KEY_ONLY, DType.FLOAT32).build());
    check(sizes().bias(Bias.HEAD_QUERY, DType.FLOAT16).build());
  }

  @Test
  void mask() throws IOException {
    check(sizes().mask(Bias.FULL).build());
    check(sizes().mask(Bias.BATCH).build(), "--backend", "sim");
    float[] values = new float[4];
    List<String> line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    for (String name : List.of("query", "key", "value", "mask")) {
      line.addAll(files.operand(name, NpyType.FLOAT32, values, 1, 2, 1, 2));
    }
    refused(line, "--mask " + files.file("mask") + " has elements of type <f4, expected |b1");
  }

  @Test
  void relativeBias() throws IOException {
    check(sizes().relative(new Relative(6, 9)).causal().build(), "--causal");
    check(sizes().relative(new Relative(40, 30)).build(), "--backend", "sim");
    float[] values = new float[4];
    List<String> line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    for (String name : List.of("query", "key", "value")) {
      line.addAll(files.operand(name, NpyType.FLOAT32, values, 1, 2, 1, 2));
    }
    line.addAll(files.operand("relative-table", NpyType.FLOAT32, values, 1, 4));
    refused(line, "is given without");
  }

  @Test
  void positionKeys() throws IOException {
    Positions shared = new Positions(false, true, Positions.Keys.SHARED, 2, 1);
    AttentionCase c = sizes().positions(shared).build();
    long origin = shared.origin(c.geometry(), c.options().visibility());
    check(c, "--position-origin", Long.toString(origin));
    check(sizes().positions(Positions.all()).causal().build(), "--causal");
    check(sizes().positions(Positions.ofContent()).build());
    List<String> line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    for (String name : List.of("query", "key", "value")) {
      line.addAll(files.operand(name, NpyType.FLOAT32, new float[4], 1, 2, 1, 2));
    }
    refused(plus(line, "--position-origin=-1"), "--position-origin is -1");
    refused(plus(line, "--position-origin", "1"), "--position-origin is given without");
    line.addAll(files.operand("position-keys", NpyType.FLOAT32, new float[6], 3, 1, 2));
    refused(line, "expected at least -1 to 1");
  }

  @Test
  void blockMask() throws IOException {
    Blocks blocks = new Blocks(3, 2, true, true, 0.6);
    check(sizes().blocks(blocks).causal().build(), "--causal", "--block-size", "3,2");
    float[] values = new float[4];
    List<String> line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    for (String name : List.of("query", "key", "value")) {
      line.addAll(files.operand(name, NpyType.FLOAT32, values, 1, 2, 1, 2));
    }
    refused(plus(line, "--block-size", "2"), "'2' is not two numbers, such as 64,64");
    refused(plus(line, "--block-size", "2,0"), "--block-size is 2 x 0");
    line.addAll(files.lengths("block-offsets", NpyType.INT32, new int[] {0, 1}));
    refused(line, "is given without");
  }

  private List<String> lists(String name, int[] values, long[] size) throws IOException {
    return files.integers(name, NpyType.INT32, values, size[0], size[1], size[3]);
  }

  private static List<String> plus(List<String> line, String... more) {
    List<String> all = new ArrayList<>(line);
    all.addAll(List.of(more));
    return all;
  }

  @Test
  void imageWindow() throws IOException {
    check(sizes().imageWindow(new ImageWindow(5, 1, 1)).build(), "--image-window", "5,1,1");
    check(
        sizes().lengths(2, 7, 30).imageWindow(new ImageWindow(4, 2, 0)).causal().build(),
        "--image-window",
        "4,2,0",
        "--causal",
        "--backend",
        "sim");
    List<String> line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    for (String name : List.of("query", "key", "value")) {
      line.addAll(files.operand(name, NpyType.FLOAT32, new float[4], 1, 2, 1, 2));
    }
    refused(plus(line, "--image-window", "5,1"), "'5,1' is not three numbers, such as 56,3,3");
    line.addAll(lists("block-offsets", new int[] {0, 0}, new long[] {1, 1, 1, 2}));
    line.addAll(lists("block-indices", new int[] {0}, new long[] {1, 1, 1, 1}));
    line.addAll(List.of("--block-size", "2,2", "--image-window", "5,1,1"));
    refused(line, "a window in images does not go with --block-offsets");
  }

  @Test
  void gates() throws IOException {
    Gates both = new Gates(Bias.BATCH_HEAD, Gates.Output.ELEMENT, DType.FLOAT16, false);
    check(sizes().gates(both).build());
    check(
        sizes().gates(Gates.ofOutput(Gates.Output.HEAD, DType.FLOAT32)).causal().build(),
        "--causal");
    check(sizes().gates(Gates.ofKeys(Bias.KEY_ONLY)).build(), "--backend", "sim");
  }

  @Test
  void window() throws IOException {
    check(sizes().window(5, 2).build(), "--window", "5,2");
    check(sizes().window(3, -1).build(), "--window", "3,-1");
    check(sizes().window(-1, 0).build(), "--window=-1,0");
  }

  @Test
  void zeroLength() throws IOException {
    check(sizes().lengths(2, 0, 9).build());
    check(sizes().lengths(2, 9, 0).build());
    check(sizes().lengths(0, 9, 9).build());
  }

  @Test
  void keyLengths() throws IOException {
    check(sizes().ragged(null, new int[] {11, 0}).build());
    check(sizes().ragged(new int[] {19, 3}, new int[] {4, 19}).causal().build(), "--causal");
  }

  @Test
  void slopesSinksSoftcapAndScale() throws IOException {
    check(
        sizes().alibi(Alibi.PER_HEAD).sinks().softcap(5).scale(0.3f).build(),
        "--softcap",
        "5",
        "--scale",
        "0.3");
    check(sizes().alibi(Alibi.PER_BATCH_HEAD).causal().build(), "--causal");
  }

  @Test
  void dropout() throws IOException {
    check(
        sizes().dropout(0.25f, 77, 5).build(),
        "--dropout",
        "0.25",
        "--seed",
        "77",
        "--offset",
        "5");
  }

  @Test
  void sixteenBits() throws IOException {
    check(sizes().dtype(DType.FLOAT16).build());
    check(sizes().dtype(DType.BFLOAT16).build());
    check(sizes().dtype(DType.BFLOAT16).causal().build(), "--causal", "--backend", "cpu:portable");
  }

  @Test
  void simulated() throws IOException {
    check(sizes().causal().build(), "--causal", "--backend", "sim");
    check(sizes().dtype(DType.FLOAT16).build(), "--backend", "sim", "--arch", "sm_90");
    check(sizes().allowTf32().build(), "--backend", "sim", "--allow-tf32");
  }

  @Test
  void valuesAreConverted() throws IOException {
    // The operands are exact in float16, so that converting them there loses nothing.
    AttentionCase c = sizes().dtype(DType.FLOAT16).build();
    Operands data = Operands.of(c);
    List<String> line = new ArrayList<>(List.of("attend", "--json", "--dtype", "float16"));
    line.addAll(files.operand("query", NpyType.FLOAT64, data.query(), c.layouts().query().size()));
    line.addAll(files.operand("key", NpyType.FLOAT32, data.key(), c.layouts().key().size()));
    line.addAll(files.operand("value", NpyType.FLOAT16, data.value(), c.layouts().value().size()));
    compare(c, Oracle.run(c, data, Precision.of("cpu")), line);
  }

  @Test
  void misshapenOperandsAreNamed() throws IOException {
    float[] values = new float[24];
    List<String> line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    line.addAll(files.operand("query", NpyType.FLOAT32, values, 1, 3, 2, 4));
    line.addAll(files.operand("key", NpyType.FLOAT32, values, 1, 3, 2, 4));
    line.addAll(files.operand("value", NpyType.FLOAT32, values, 24));
    refused(line, "--value " + files.file("value") + " has shape [24], expected four dimensions");
    line.addAll(files.operand("value", NpyType.FLOAT32, values, 1, 2, 3, 4));
    line.remove(line.lastIndexOf("--value"));
    refused(List.of(line.getFirst(), "--query"), "--query");
    line = new ArrayList<>(List.of("attend", "--out", files.file("out").toString()));
    line.addAll(files.operand("query", NpyType.FLOAT32, values, 1, 3, 2, 4));
    line.addAll(files.operand("key", NpyType.INT32, values, 1, 3, 2, 4));
    line.addAll(files.operand("value", NpyType.FLOAT32, values, 1, 3, 2, 4));
    refused(line, "--key " + files.file("key") + " has elements of type <i4");
  }

  private void addPositions(List<String> line, AttentionCase c, Positions.Data data, NpyType type)
      throws IOException {
    long[] heads = {c.geometry().queryHeads(), c.geometry().headDim()};
    if (data.contentBias() != null) {
      line.addAll(files.operand("content-bias", NpyType.FLOAT32, data.contentBias(), heads));
    }
    if (data.positionBias() != null) {
      line.addAll(files.operand("position-bias", NpyType.FLOAT32, data.positionBias(), heads));
    }
    if (data.keys() != null) {
      long[] size = c.layouts().positionKeys().size();
      line.addAll(files.operand("position-keys", type, data.keys(), size[1], size[2], size[3]));
    }
  }

  private static void refused(List<String> line, String text) {
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(Main.USAGE, cli.code(), cli.err());
    assertTrue(cli.err().contains(text), cli.err());
  }

  private void check(AttentionCase c, String... options) throws IOException {
    Operands data = Operands.of(c);
    NpyType type =
        switch (c.options().dtype()) {
          case FLOAT16 -> NpyType.FLOAT16;
          case BFLOAT16 -> NpyType.BFLOAT16;
          default -> NpyType.FLOAT32;
        };
    List<String> line = new ArrayList<>(List.of("attend", "--json"));
    line.addAll(List.of(options));
    line.addAll(files.operand("query", type, data.query(), c.layouts().query().size()));
    line.addAll(files.operand("key", type, data.key(), c.layouts().key().size()));
    line.addAll(files.operand("value", type, data.value(), c.layouts().value().size()));
    if (data.bias() != null) {
      NpyType biasType =
          c.options().biasDType() == DType.FLOAT16 ? NpyType.FLOAT16 : NpyType.FLOAT32;
      line.addAll(files.operand("bias", biasType, data.bias(), c.layouts().bias().size()));
    }
    if (data.mask() != null) {
      line.addAll(files.operand("mask", NpyType.BOOL, data.mask(), c.layouts().mask().size()));
    }
    if (data.blocks() != null) {
      Blocks.Lists lists = data.blocks();
      line.addAll(lists("block-offsets", lists.offsets(), lists.offsetLayout().size()));
      line.addAll(lists("block-indices", lists.indices(), lists.indexLayout().size()));
    }
    addPositions(line, c, data.positions(), type);
    if (data.table() != null) {
      long[] size = c.layouts().table().size();
      line.addAll(files.operand("relative-table", NpyType.FLOAT32, data.table(), size[1], size[2]));
      line.addAll(files.lengths("relative-buckets", NpyType.INT32, data.buckets()));
    }
    if (data.alibi() != null) {
      long[] size = c.layouts().alibi().size();
      long[] shape = size[0] == 1 ? new long[] {size[1]} : new long[] {size[0], size[1]};
      line.addAll(files.operand("alibi-slopes", NpyType.FLOAT32, data.alibi(), shape));
    }
    if (data.keyGates() != null) {
      long[] size = c.layouts().keyGates().size();
      float[] gates = data.keyGates();
      line.addAll(files.operand("key-gates", NpyType.FLOAT32, gates, size[0], size[1], size[3]));
    }
    if (data.outputGates() != null) {
      boolean half = c.options().gates().outputType() == DType.FLOAT16;
      NpyType gateType = half ? NpyType.FLOAT16 : NpyType.FLOAT32;
      long[] size = c.layouts().outputGates().size();
      line.addAll(files.operand("output-gates", gateType, data.outputGates(), size));
    }
    if (data.sinks() != null) {
      line.addAll(files.operand("sinks", NpyType.FLOAT32, data.sinks(), data.sinks().length));
    }
    line.addAll(files.lengths("query-lengths", NpyType.INT32, c.geometry().queryLengths()));
    line.addAll(files.lengths("key-lengths", NpyType.INT64, c.geometry().keyLengths()));
    Precision precision = line.contains("sim") ? Precision.TENSOR_CORE : Precision.of("cpu");
    compare(c, Oracle.run(c, data, precision), line);
  }

  private void compare(AttentionCase c, Oracle.Outputs expected, List<String> line)
      throws IOException {
    line.addAll(files.result("out"));
    line.addAll(files.result("lse"));
    line.addAll(files.result("weights"));
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());
    assertEquals("attention", cli.json().get("op").getAsString());
    assertNull(wrong("out", expected.out(), c.layouts().out().size()));
    long[] lse = c.layouts().lse().size();
    assertNull(wrong("lse", expected.lse(), lse[0], lse[1], lse[3]));
    assertNull(wrong("weights", expected.weights(), c.layouts().weights().size()));
  }

  /** Null if the file holds what is expected; padding, which is free to be anything, as zeros. */
  private String wrong(String name, Expected expected, long... shape) throws IOException {
    Npy array = files.read(name);
    assertArrayEquals(shape, array.shape(), name);
    DType type = expected.dtype();
    MemorySegment memory =
        Arena.ofAuto().allocate((long) expected.elements() * type.byteSize() + 8, 8);
    for (int i = 0; i < expected.elements(); i++) {
      // bfloat16 comes back as float32.
      int bits =
          array.type() == NpyType.FLOAT16
              ? array.data().getAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, i)
              : Rounding.bits(type, array.data().getAtIndex(ValueLayout.JAVA_FLOAT_UNALIGNED, i));
      boolean untouched = expected.state(i) == Expected.UNTOUCHED;
      put(memory, type, i, untouched ? Rounding.canary(type) : bits);
    }
    return Comparison.compare(name, memory, expected);
  }

  private static void put(MemorySegment memory, DType type, int index, int bits) {
    if (type.byteSize() == 2) {
      memory.setAtIndex(ValueLayout.JAVA_SHORT_UNALIGNED, index, (short) bits);
    } else {
      memory.setAtIndex(ValueLayout.JAVA_INT_UNALIGNED, index, bits);
    }
  }
}

package dev.fovea.testkit.attention;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.FoveaAttentionSpec;
import dev.fovea.ffi.NativeAttention;
import dev.fovea.ffi.Operand;
import dev.fovea.testkit.CaseFile;
import dev.fovea.testkit.CheckedCase;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.attention.BackwardOracle.Gradients;
import dev.fovea.testkit.attention.Options.Alibi;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.function.Consumer;

/**
 * What a {@link CaseFile} holds of a case: its spec of fovea.h, and its operands in their order.
 */
final class CaseContents {

  private CaseContents() {}

  /** Writes a case. */
  static void write(CaseFile file, AttentionCase c, Precision precision) throws IOException {
    Operands data = Operands.of(c);
    Oracle.Outputs expected = Oracle.run(c, data, precision);
    head(file, c, spec(c), c.options());
    rows(file, c, data);
    optional(file, c, data);
    file.output(c.layouts().out(), expected.out(), null);
    file.output(c.layouts().lse(), expected.lse(), null);
    file.output(c.layouts().weights(), expected.weights(), null);
    file.output(c.layouts().topWeights(), expected.topWeights(), null);
    file.output(c.layouts().topKeys(), expected.topKeys(), null);
    file.output(c.layouts().ungated(), expected.ungated(), null);
  }

  /** Writes a backward case. */
  static void write(CaseFile file, BackwardCase backward, Precision precision) throws IOException {
    AttentionCase c = backward.forward();
    BackwardCase.Layouts layouts = backward.layouts();
    BackwardOperands data = BackwardOperands.of(backward);
    Gradients expected = BackwardOracle.run(backward, data, precision);
    DType outType = c.options().outDType();
    head(file, backward, spec(backward), c.options());
    rows(file, c, data.forward());
    optional(file, c, data.forward());
    file.operand(layouts.dout(), outType, data.dout());
    file.operand(c.layouts().out(), outType, data.out());
    file.operand(c.layouts().lse(), DType.FLOAT32, data.lse());
    file.output(layouts.dquery(), expected.dquery(), null);
    file.output(layouts.dkey(), expected.dkey(), data.dkey());
    file.output(layouts.dvalue(), expected.dvalue(), data.dvalue());
    file.output(layouts.dcontentBias(), expected.dcontentBias(), null);
    file.output(layouts.dpositionBias(), expected.dpositionBias(), null);
    file.output(layouts.dpositionKeys(), expected.dpositionKeys(), null);
    file.output(layouts.dbias(), expected.dbias(), null);
    file.output(layouts.dtable(), expected.dtable(), null);
    file.output(layouts.dmodifierTable(), expected.dmodifierTable(), null);
    file.output(layouts.dalibi(), expected.dalibi(), null);
    for (RowOperand.Kind kind : RowOperand.Kind.values()) {
      int k = index(c.options(), kind);
      boolean asked = k >= 0 && !layouts.drows().isEmpty();
      file.output(
          asked ? layouts.drows().get(k) : null, asked ? expected.drows().get(k) : null, null);
    }
    file.output(layouts.dkeyGates(), expected.dkeyGates(), null);
    file.output(layouts.doutputGates(), expected.doutputGates(), null);
    file.output(Layout.dense(1, 1, 1, c.geometry().queryHeads()), expected.dsinks(), null);
  }

  private static void rows(CaseFile file, AttentionCase c, Operands data) throws IOException {
    DType type = c.options().dtype();
    file.operand(c.layouts().query(), type, data.queryElements(c));
    Cache cache = c.cache();
    Geometry g = c.geometry();
    if (cache == null) {
      file.operand(c.layouts().key(), type, data.key());
      file.operand(c.layouts().value(), type, data.value());
    } else {
      file.operand(cache.keyLayout(g), cache.type(), data.cache().key());
      file.operand(cache.valueLayout(g), cache.type(), data.cache().value());
    }
    file.operand(c.layouts().queryScales(), DType.FLOAT32, data.queryScales());
    Layout scales = cache == null ? null : cache.scaleLayout(g);
    file.operand(scales, DType.FLOAT32, data.cache().keyScales());
    file.operand(scales, DType.FLOAT32, data.cache().valueScales());
    file.ints(data.cache().table());
    file.operand(cache == null ? null : cache.treeLayout(g), DType.BOOL, data.cache().tree());
  }

  private static void optional(CaseFile file, AttentionCase c, Operands data) throws IOException {
    Geometry g = c.geometry();
    Positions.Data positions = data.positions();
    file.operand(c.layouts().contentBias(), DType.FLOAT32, positions.contentBias());
    file.operand(c.layouts().positionBias(), DType.FLOAT32, positions.positionBias());
    file.operand(c.layouts().positionKeys(), c.options().dtype(), positions.keys());
    file.operand(c.layouts().bias(), c.options().biasDType(), data.bias());
    file.operand(c.layouts().mask(), DType.BOOL, data.mask());
    file.ints(data.blocks() == null ? null : data.blocks().offsets());
    file.ints(data.blocks() == null ? null : data.blocks().indices());
    file.operand(c.layouts().table(), DType.FLOAT32, data.table());
    file.ints(data.buckets());
    Modifier modifier = c.options().modifier();
    boolean learns = modifier != null && modifier.learns();
    file.ints(modifier == null ? null : modifier.words());
    file.operand(c.layouts().modifierTable(), DType.FLOAT32, learns ? data.modifierTable() : null);
    file.operand(c.layouts().alibi(), DType.FLOAT32, data.alibi());
    for (RowOperand.Kind kind : RowOperand.Kind.values()) {
      int k = index(c.options(), kind);
      file.operand(
          k < 0 ? null : c.layouts().rows().get(k),
          DType.FLOAT32,
          k < 0 ? null : data.rows().get(k));
    }
    file.operand(c.layouts().keyGates(), DType.FLOAT32, data.keyGates());
    file.operand(c.layouts().outputGates(), c.options().gates().outputType(), data.outputGates());
    file.operand(Layout.dense(1, 1, 1, g.queryHeads()), DType.FLOAT32, data.sinks());
    file.ints(g.packed() ? g.cuQ() : null);
    Cache cache = c.cache();
    boolean pages = cache != null && cache.hasPages();
    file.ints(g.packed() && !pages ? g.cuK() : null);
    file.ints(g.packed() ? null : g.queryLengths());
    file.ints(cache != null ? cache.keyLengths(g) : g.hasKeyLengths() ? g.keyLengths() : null);
  }

  /** The struct of fovea.h for a case. */
  static byte[] spec(AttentionCase c) {
    return bytes(c, spec -> {});
  }

  /** The struct of fovea.h for a backward case. */
  static byte[] spec(BackwardCase c) {
    BackwardCase.Layouts layouts = c.layouts();
    boolean packed = c.forward().geometry().packed();
    return bytes(
        c.forward(),
        spec -> {
          FoveaAttentionSpec.PASS.set(spec, Abi.BACKWARD);
          FoveaAttentionSpec.GRADIENT_DTYPE.set(spec, CaseFile.dtype(c.dtype()));
          FoveaAttentionSpec.DETERMINISTIC.set(spec, flag(c.deterministic()));
          FoveaAttentionSpec.ACCUMULATE.set(spec, flag(c.accumulate()));
          FoveaAttentionSpec.HAS_DBIAS.set(spec, flag(layouts.dbias() != null));
          FoveaAttentionSpec.HAS_DCONTENT_BIAS.set(spec, flag(layouts.dcontentBias() != null));
          FoveaAttentionSpec.HAS_DPOSITION_BIAS.set(spec, flag(layouts.dpositionBias() != null));
          FoveaAttentionSpec.HAS_DPOSITION_KEYS.set(spec, flag(layouts.dpositionKeys() != null));
          heads(spec, FoveaAttentionSpec.DCONTENT_BIAS_STRIDE, layouts.dcontentBias());
          heads(spec, FoveaAttentionSpec.DPOSITION_BIAS_STRIDE, layouts.dpositionBias());
          distances(spec, FoveaAttentionSpec.DPOSITION_KEYS_STRIDE, layouts.dpositionKeys());
          FoveaAttentionSpec.HAS_DMODIFIER_TABLE.set(spec, flag(layouts.dmodifierTable() != null));
          shared(spec, FoveaAttentionSpec.DMODIFIER_TABLE_STRIDE, layouts.dmodifierTable());
          FoveaAttentionSpec.HAS_DRELATIVE_TABLE.set(spec, flag(layouts.dtable() != null));
          FoveaAttentionSpec.HAS_DALIBI_SLOPES.set(spec, flag(layouts.dalibi() != null));
          FoveaAttentionSpec.HAS_DSINKS.set(spec, flag(c.dsinks()));
          FoveaAttentionSpec.HAS_DKEY_GATES.set(spec, flag(layouts.dkeyGates() != null));
          FoveaAttentionSpec.HAS_DOUTPUT_GATES.set(spec, flag(layouts.doutputGates() != null));
          sums(spec, FoveaAttentionSpec.DKEY_GATES_STRIDE, layouts.dkeyGates(), packed);
          elements(spec, FoveaAttentionSpec.DOUTPUT_GATES_STRIDE, layouts.doutputGates());
          strides(spec, FoveaAttentionSpec.DOUT_STRIDE, layouts.dout());
          strides(spec, FoveaAttentionSpec.DQUERY_STRIDE, layouts.dquery());
          strides(spec, FoveaAttentionSpec.DKEY_STRIDE, layouts.dkey());
          strides(spec, FoveaAttentionSpec.DVALUE_STRIDE, layouts.dvalue());
          sums(spec, FoveaAttentionSpec.DBIAS_STRIDE, layouts.dbias(), packed);
          table(spec, FoveaAttentionSpec.DRELATIVE_TABLE_STRIDE, layouts.dtable());
          sums(spec, FoveaAttentionSpec.DALIBI_SLOPES_STRIDE, layouts.dalibi(), false);
          for (int k = 0; k < layouts.drows().size(); k++) {
            String name = "d" + c.forward().options().rows().get(k).kind().operand();
            row(spec, Abi.BACKWARD, name, layouts.drows().get(k), packed);
          }
        });
  }

  private static byte[] bytes(AttentionCase c, Consumer<MemorySegment> more) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment spec = FoveaAttentionSpec.allocate(arena);
      fill(spec, c);
      more.accept(spec);
      return spec.toArray(ValueLayout.JAVA_BYTE);
    }
  }

  private static void fill(MemorySegment spec, AttentionCase c) {
    Geometry g = c.geometry();
    Options o = c.options();
    FoveaAttentionSpec.DTYPE.set(spec, CaseFile.dtype(o.dtype()));
    FoveaAttentionSpec.OUT_DTYPE.set(spec, CaseFile.dtype(o.outDType()));
    FoveaAttentionSpec.BIAS_DTYPE.set(spec, o.hasBias() ? CaseFile.dtype(o.biasDType()) : 0);
    FoveaAttentionSpec.PACKED.set(spec, flag(g.packed()));
    FoveaAttentionSpec.CAUSAL.set(spec, flag(o.causal()));
    FoveaAttentionSpec.ALIGNMENT.set(spec, flag(o.topLeft()));
    FoveaAttentionSpec.HAS_WINDOW_LEFT.set(spec, flag(o.windowLeft() >= 0));
    FoveaAttentionSpec.HAS_WINDOW_RIGHT.set(spec, flag(o.windowRight() >= 0));
    FoveaAttentionSpec.HAS_SCALE.set(spec, flag(o.scale() != null));
    FoveaAttentionSpec.HAS_MASK.set(spec, flag(c.layouts().mask() != null));
    FoveaAttentionSpec.HAS_RELATIVE_TABLE.set(spec, flag(o.relative() != null));
    FoveaAttentionSpec.HAS_RELATIVE_BUCKETS.set(spec, flag(o.relative() != null));
    modifier(spec, c);
    FoveaAttentionSpec.HAS_ALIBI_SLOPES.set(spec, flag(o.alibi() != Alibi.NONE));
    FoveaAttentionSpec.HAS_SINKS.set(spec, flag(o.sinks()));
    FoveaAttentionSpec.HAS_KEY_GATES.set(spec, flag(o.gates().hasKeys()));
    FoveaAttentionSpec.OUTPUT_GATES_DTYPE.set(
        spec, o.gates().hasOutput() ? CaseFile.dtype(o.gates().outputType()) : 0);
    FoveaAttentionSpec.HAS_UNGATED.set(spec, flag(o.gates().ungated()));
    FoveaAttentionSpec.HAS_QUERY_LENGTHS.set(spec, flag(!g.packed() && g.queryLengths() != null));
    FoveaAttentionSpec.HAS_KEY_LENGTHS.set(spec, flag(g.hasKeyLengths()));
    FoveaAttentionSpec.HAS_LSE.set(spec, flag(o.lse()));
    FoveaAttentionSpec.HAS_WEIGHTS.set(spec, flag(o.weights()));
    FoveaAttentionSpec.HAS_TOP_WEIGHTS.set(spec, flag(o.top() > 0));
    FoveaAttentionSpec.HAS_TOP_KEYS.set(spec, flag(o.top() > 0));
    FoveaAttentionSpec.TOP_COUNT.set(spec, o.top());
    FoveaAttentionSpec.SCALE.set(spec, o.scale() == null ? 0 : o.scale());
    FoveaAttentionSpec.SOFTCAP.set(spec, o.softcap());
    FoveaAttentionSpec.DROPOUT.set(spec, o.dropout());
    FoveaAttentionSpec.ALLOW_TF32.set(spec, flag(o.allowTf32()));
    FoveaAttentionSpec.WINDOW_LEFT.set(spec, Math.max(0, o.windowLeft()));
    FoveaAttentionSpec.WINDOW_RIGHT.set(spec, Math.max(0, o.windowRight()));
    FoveaAttentionSpec.BATCH.set(spec, g.batch());
    FoveaAttentionSpec.QUERY_LENGTH.set(spec, g.queryLength());
    FoveaAttentionSpec.KEY_LENGTH.set(spec, g.keyLength());
    FoveaAttentionSpec.QUERY_TOTAL.set(spec, g.packed() ? g.queryRows() : 0);
    boolean pages = c.cache() != null && c.cache().hasPages();
    FoveaAttentionSpec.KEY_TOTAL.set(spec, g.packed() && !pages ? g.keyRows() : 0);
    FoveaAttentionSpec.QUERY_HEADS.set(spec, g.queryHeads());
    FoveaAttentionSpec.KEY_HEADS.set(spec, g.keyHeads());
    FoveaAttentionSpec.HEAD_DIM.set(spec, g.headDim());
    FoveaAttentionSpec.VALUE_HEAD_DIM.set(spec, g.valueHeadDim());
    if (o.relative() != null) {
      FoveaAttentionSpec.RELATIVE_COUNT.set(spec, o.relative().columns());
      FoveaAttentionSpec.RELATIVE_WIDTH.set(spec, 2L * o.relative().reach() + 1);
    }
    positions(spec, c);
    blocks(spec, c);
    if (o.imageWindow() != null) {
      FoveaAttentionSpec.HAS_IMAGE_WIDTH.set(spec, 1);
      FoveaAttentionSpec.HAS_WINDOW_ROWS.set(spec, 1);
      FoveaAttentionSpec.HAS_WINDOW_COLUMNS.set(spec, 1);
      FoveaAttentionSpec.IMAGE_WIDTH.set(spec, o.imageWindow().width());
      FoveaAttentionSpec.WINDOW_ROWS.set(spec, o.imageWindow().rows());
      FoveaAttentionSpec.WINDOW_COLUMNS.set(spec, o.imageWindow().columns());
    }
    AttentionCase.Layouts layouts = c.layouts();
    strides(spec, FoveaAttentionSpec.QUERY_STRIDE, layouts.query());
    FoveaAttentionSpec.HAS_QUERY_SCALES.set(spec, flag(layouts.queryScales() != null));
    sums(spec, FoveaAttentionSpec.QUERY_SCALES_STRIDE, layouts.queryScales(), false);
    cache(spec, c);
    strides(spec, FoveaAttentionSpec.OUT_STRIDE, layouts.out());
    strides(spec, FoveaAttentionSpec.LSE_STRIDE, layouts.lse());
    sums(spec, FoveaAttentionSpec.BIAS_STRIDE, layouts.bias(), g.packed());
    sums(spec, FoveaAttentionSpec.MASK_STRIDE, layouts.mask(), g.packed());
    strides(spec, FoveaAttentionSpec.WEIGHTS_STRIDE, layouts.weights());
    strides(spec, FoveaAttentionSpec.TOP_WEIGHTS_STRIDE, layouts.topWeights());
    strides(spec, FoveaAttentionSpec.TOP_KEYS_STRIDE, layouts.topKeys());
    table(spec, FoveaAttentionSpec.RELATIVE_TABLE_STRIDE, layouts.table());
    sums(spec, FoveaAttentionSpec.ALIBI_SLOPES_STRIDE, layouts.alibi(), false);
    sums(spec, FoveaAttentionSpec.KEY_GATES_STRIDE, layouts.keyGates(), g.packed());
    elements(spec, FoveaAttentionSpec.OUTPUT_GATES_STRIDE, layouts.outputGates());
    strides(spec, FoveaAttentionSpec.UNGATED_STRIDE, layouts.ungated());
    for (int k = 0; k < o.rows().size(); k++) {
      RowOperand it = o.rows().get(k);
      NativeAttention.OPERATION.float32(it.kind().option()).set(spec, it.number());
      row(spec, Abi.FORWARD, it.kind().operand(), layouts.rows().get(k), g.packed());
    }
  }

  /** Key and value, and what only those of a cache have. */
  private static void cache(MemorySegment spec, AttentionCase c) {
    Cache cache = c.cache();
    Geometry g = c.geometry();
    if (cache == null) {
      strides(spec, FoveaAttentionSpec.KEY_STRIDE, c.layouts().key());
      strides(spec, FoveaAttentionSpec.VALUE_STRIDE, c.layouts().value());
      return;
    }
    strides(spec, FoveaAttentionSpec.KEY_STRIDE, cache.keyLayout(g));
    strides(spec, FoveaAttentionSpec.VALUE_STRIDE, cache.valueLayout(g));
    FoveaAttentionSpec.CACHE_DTYPE.set(spec, CaseFile.dtype(cache.type()));
    FoveaAttentionSpec.HAS_KEY_LENGTHS.set(spec, flag(cache.keyLengths(g) != null));
    if (cache.hasPages()) {
      FoveaAttentionSpec.HAS_BLOCK_TABLE.set(spec, 1);
      FoveaAttentionSpec.PAGE_COUNT.set(spec, cache.pageCount(g));
      FoveaAttentionSpec.PAGE_SIZE.set(spec, cache.pageSize());
      FoveaAttentionSpec.PAGE_COLUMNS.set(spec, cache.pageColumns(g));
      FoveaAttentionSpec.BLOCK_TABLE_STRIDE.set(spec, 0, cache.tableLayout(g).stride()[2]);
    }
    if (cache.scales() != Cache.Scales.NONE) {
      FoveaAttentionSpec.HAS_KEY_SCALES.set(spec, 1);
      FoveaAttentionSpec.HAS_VALUE_SCALES.set(spec, 1);
      inner(spec, FoveaAttentionSpec.KEY_SCALES_STRIDE, cache.scaleLayout(g));
      inner(spec, FoveaAttentionSpec.VALUE_SCALES_STRIDE, cache.scaleLayout(g));
    }
    if (cache.tree()) {
      FoveaAttentionSpec.HAS_TREE_MASK.set(spec, 1);
      inner(spec, FoveaAttentionSpec.TREE_MASK_STRIDE, cache.treeLayout(g));
    }
  }

  /** [a, b, c] of the layout [1, a, b, c]; a dimension of one element for all has a stride of 0. */
  private static void inner(MemorySegment spec, Field.Int64Array field, Layout layout) {
    for (int i = 0; i < field.length(); i++) {
      field.set(spec, i, layout.size()[1 + i] == 1 ? 0 : layout.stride()[1 + i]);
    }
  }

  private static void positions(MemorySegment spec, AttentionCase c) {
    Positions it = c.options().positions();
    long origin = it.origin(c.geometry(), c.options().visibility());
    FoveaAttentionSpec.HAS_CONTENT_BIAS.set(spec, flag(it.contentBias()));
    FoveaAttentionSpec.HAS_POSITION_BIAS.set(spec, flag(it.positionBias()));
    FoveaAttentionSpec.HAS_POSITION_KEYS.set(spec, flag(it.hasKeys()));
    FoveaAttentionSpec.HAS_POSITION_ORIGIN.set(spec, flag(origin != 0));
    FoveaAttentionSpec.POSITION_ORIGIN.set(spec, origin);
    if (it.hasKeys()) {
      FoveaAttentionSpec.POSITION_COUNT.set(spec, c.layouts().positionKeys().size()[1]);
    }
    heads(spec, FoveaAttentionSpec.CONTENT_BIAS_STRIDE, c.layouts().contentBias());
    heads(spec, FoveaAttentionSpec.POSITION_BIAS_STRIDE, c.layouts().positionBias());
    distances(spec, FoveaAttentionSpec.POSITION_KEYS_STRIDE, c.layouts().positionKeys());
  }

  /** [Hq, D] of the layout [1, 1, Hq, D]. */
  private static void heads(MemorySegment spec, Field.Int64Array field, Layout layout) {
    if (layout != null) {
      field.set(spec, 0, layout.stride()[2]);
    }
  }

  /** [P, Hq or 1, D] of the layout [1, P, Hq or 1, D]. */
  private static void distances(MemorySegment spec, Field.Int64Array field, Layout layout) {
    if (layout != null) {
      field.set(spec, 0, layout.stride()[1]);
      field.set(spec, 1, layout.size()[2] == 1 ? 0 : layout.stride()[2]);
    }
  }

  private static void modifier(MemorySegment spec, AttentionCase c) {
    Modifier modifier = c.options().modifier();
    if (modifier == null) {
      return;
    }
    FoveaAttentionSpec.HAS_MODIFIER_PROGRAM.set(spec, 1);
    FoveaAttentionSpec.MODIFIER_WORDS.set(spec, modifier.words().length);
    if (modifier.learns()) {
      FoveaAttentionSpec.HAS_MODIFIER_TABLE.set(spec, 1);
      FoveaAttentionSpec.MODIFIER_COLUMNS.set(spec, Modifier.COLUMNS);
      shared(spec, FoveaAttentionSpec.MODIFIER_TABLE_STRIDE, c.layouts().modifierTable());
    }
  }

  private static void blocks(MemorySegment spec, AttentionCase c) {
    Blocks.Lists lists = Operands.blocks(c);
    if (lists == null) {
      return;
    }
    FoveaAttentionSpec.HAS_BLOCK_OFFSETS.set(spec, 1);
    FoveaAttentionSpec.HAS_BLOCK_INDICES.set(spec, 1);
    FoveaAttentionSpec.HAS_BLOCK_QUERIES.set(spec, 1);
    FoveaAttentionSpec.HAS_BLOCK_KEYS.set(spec, 1);
    FoveaAttentionSpec.BLOCK_QUERIES.set(spec, c.options().blocks().queries());
    FoveaAttentionSpec.BLOCK_KEYS.set(spec, c.options().blocks().keys());
    FoveaAttentionSpec.BLOCK_ROWS.set(spec, lists.offsetLayout().size()[3]);
    FoveaAttentionSpec.BLOCK_COUNT.set(spec, lists.indexLayout().size()[3]);
    sums(spec, FoveaAttentionSpec.BLOCK_OFFSETS_STRIDE, lists.offsetLayout(), false);
    sums(spec, FoveaAttentionSpec.BLOCK_INDICES_STRIDE, lists.indexLayout(), false);
  }

  /** The operand of a kind in a case, or -1. */
  private static int index(Options o, RowOperand.Kind kind) {
    for (int k = 0; k < o.rows().size(); k++) {
      if (o.rows().get(k).kind() == kind) {
        return k;
      }
    }
    return -1;
  }

  private static void row(
      MemorySegment spec, int pass, String name, Layout layout, boolean packed) {
    Operand operand =
        NativeAttention.OPERATION.operands(pass).stream()
            .filter(it -> it.name().equals(name))
            .findFirst()
            .orElseThrow();
    operand.present().set(spec, 1);
    sums(spec, operand.strides(), layout, packed);
  }

  private static void strides(MemorySegment spec, Field.Int64Array field, Layout layout) {
    for (int i = 0; layout != null && i < field.length(); i++) {
      field.set(spec, i, layout.stride()[i]);
    }
  }

  /** The last dimension has a stride too: 0 where it is one element for all. */
  private static void elements(MemorySegment spec, Field.Int64Array field, Layout layout) {
    for (int i = 0; layout != null && i < field.length(); i++) {
      field.set(spec, i, i < 3 ? layout.stride()[i] : layout.size()[3] == 1 ? 0 : 1);
    }
  }

  /** A table that heads may share. */
  private static void shared(MemorySegment spec, Field.Int64Array field, Layout layout) {
    table(spec, field, layout);
    if (layout != null && layout.size()[1] == 1) {
      field.set(spec, 0, 0);
    }
  }

  /** Both dimensions of a table have a stride. */
  private static void table(MemorySegment spec, Field.Int64Array field, Layout layout) {
    for (int i = 0; layout != null && i < field.length(); i++) {
      field.set(spec, i, layout.stride()[1 + i]);
    }
  }

  /** In the C ABI a dimension of one element for all, or summed over, has a stride of 0. */
  private static void sums(
      MemorySegment spec, Field.Int64Array field, Layout layout, boolean packed) {
    for (int i = 0; layout != null && i < field.length(); i++) {
      boolean single = layout.size()[i] == 1 || packed && i == 0;
      field.set(spec, i, single ? 0 : layout.stride()[i]);
    }
  }

  private static void head(CaseFile file, CheckedCase c, byte[] spec, Options o)
      throws IOException {
    file.head(NativeAttention.OPERATION, c, spec, o.seed(), o.offset());
  }

  private static int flag(boolean set) {
    return set ? 1 : 0;
  }
}

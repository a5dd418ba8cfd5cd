package dev.fovea.testkit.attention;

import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Tensor;
import dev.fovea.testkit.CaseBuffers;
import dev.fovea.testkit.Geometry;
import dev.fovea.testkit.Layout;
import dev.fovea.testkit.attention.Options.Alibi;

/**
 * The inputs of a case in guarded memory, bound to a call of the public API, and the memory of
 * outputs, forward's or backward's.
 */
final class BoundCase implements AutoCloseable {

  private final AttentionCase c;
  private final CaseBuffers buffers;
  private final AttentionCall call;

  /** Lays the inputs out in memory of {@code device} and binds them. */
  BoundCase(AttentionCase c, Operands data, Device device) {
    this.c = c;
    buffers = new CaseBuffers(device, c.guard());
    boolean built = false;
    try {
      Options o = c.options();
      Tensor query = buffers.input(o.dtype(), c.layouts().query(), data.queryElements(c), dims());
      Tensor key = key(data);
      call = CaseRun.spec(c).call(query, key, value(data, key));
      bindOptional(data);
      call.parallelism(c.parallelism());
      built = true;
    } finally {
      if (!built) {
        close();
      }
    }
  }

  private Tensor key(Operands data) {
    Cache cache = c.cache();
    return cache == null
        ? buffers.input(c.options().dtype(), c.layouts().key(), data.key(), dims())
        : buffers.input(
            cache.type(), cache.keyLayout(c.geometry()), data.cache().key(), cacheDims());
  }

  private Tensor value(Operands data, Tensor key) {
    Cache cache = c.cache();
    if (cache != null && cache.latent()) {
      return key.slice(key.rank() - 1, 0, cache.valueLayout(c.geometry()).size()[3]);
    }
    return cache == null
        ? buffers.input(c.options().dtype(), c.layouts().value(), data.value(), dims())
        : buffers.input(
            cache.type(), cache.valueLayout(c.geometry()), data.cache().value(), cacheDims());
  }

  /** The dimensions of key and value in a cache. */
  private int[] cacheDims() {
    return c.cache().hasPages() ? new int[] {0, 1, 2, 3} : dims();
  }

  private void bindLengths(Cache.Data data) {
    Geometry g = c.geometry();
    Cache cache = c.cache();
    if (cache == null || !cache.hasPages()) {
      buffers.bindLengths(call, g);
    } else {
      call.pages(buffers.ints(data.table(), cache.tableLayout(g), 2, 3), g.keyLength());
      if (g.packed()) {
        call.cuSeqlens(buffers.ints(g.cuQ()), g.queryLength());
      } else if (g.queryLengths() != null) {
        call.queryLengths(buffers.ints(g.queryLengths()));
      }
      if (cache.keyLengths(g) != null) {
        call.keyLengths(buffers.ints(cache.keyLengths(g)));
      }
    }
    if (data.keyScales() != null) {
      boolean packed = !cache.hasPages() && g.packed();
      int[] dims = packed ? new int[] {2, 3} : new int[] {1, 2, 3};
      call.cacheScales(
          buffers.input(DType.FLOAT32, cache.scaleLayout(g), data.keyScales(), dims),
          buffers.input(DType.FLOAT32, cache.scaleLayout(g), data.valueScales(), dims));
    }
    if (data.tree() != null) {
      int[] dims = g.packed() ? new int[] {2, 3} : new int[] {1, 2, 3};
      call.treeMask(buffers.input(DType.BOOL, cache.treeLayout(g), data.tree(), dims));
    }
  }

  private void bindOptional(Operands data) {
    Options o = c.options();
    bindLengths(data.cache());
    if (data.queryScales() != null) {
      Layout layout = c.layouts().queryScales();
      call.queryScales(buffers.input(DType.FLOAT32, layout, data.queryScales(), 0, 1));
    }
    bindPositions(data.positions());
    if (data.bias() != null) {
      call.bias(buffers.input(o.biasDType(), c.layouts().bias(), data.bias(), dims()));
    }
    if (data.mask() != null) {
      call.mask(buffers.input(DType.BOOL, c.layouts().mask(), data.mask(), dims()));
    }
    if (data.blocks() != null) {
      Blocks.Lists lists = data.blocks();
      call.blockMask(
          buffers.ints(lists.offsets(), lists.offsetLayout(), 0, 1, 3),
          buffers.ints(lists.indices(), lists.indexLayout(), 0, 1, 3));
    }
    if (data.modifierTable() != null && c.options().modifier().learns()) {
      call.modifierTable(
          buffers.input(
              DType.FLOAT32, c.layouts().modifierTable(), data.modifierTable(), tableDims()));
    }
    if (data.table() != null) {
      call.relativeBias(
          buffers.input(DType.FLOAT32, c.layouts().table(), data.table(), tableDims()),
          buffers.ints(data.buckets()));
    }
    if (data.alibi() != null) {
      call.alibiSlopes(
          buffers.input(DType.FLOAT32, c.layouts().alibi(), data.alibi(), slopeDims()));
    }
    if (data.keyGates() != null) {
      call.keyGates(
          buffers.input(DType.FLOAT32, c.layouts().keyGates(), data.keyGates(), keyGateDims()));
    }
    if (data.outputGates() != null) {
      DType type = o.gates().outputType();
      call.outputGates(buffers.input(type, c.layouts().outputGates(), data.outputGates(), dims()));
    }
    for (int k = 0; k < o.rows().size(); k++) {
      Layout layout = c.layouts().rows().get(k);
      Tensor elements = buffers.input(DType.FLOAT32, layout, data.rows().get(k), rowDims());
      o.rows().get(k).kind().bind(call, elements);
    }
    if (data.sinks() != null) {
      call.sinks(buffers.input(DType.FLOAT32, perHead(), data.sinks(), 3));
    }
    if (o.dropout() > 0) {
      call.dropoutSeed(o.seed(), o.offset());
    }
  }

  private void bindPositions(Positions.Data data) {
    AttentionCase.Layouts layouts = c.layouts();
    if (data.contentBias() != null) {
      call.contentBias(
          buffers.input(DType.FLOAT32, layouts.contentBias(), data.contentBias(), 2, 3));
    }
    if (data.positionBias() != null) {
      call.positionBias(
          buffers.input(DType.FLOAT32, layouts.positionBias(), data.positionBias(), 2, 3));
    }
    if (data.keys() != null) {
      call.positionKeys(
          buffers.input(c.options().dtype(), layouts.positionKeys(), data.keys(), 1, 2, 3));
    }
  }

  /** The call: inputs are bound to it. */
  AttentionCall call() {
    return call;
  }

  /** The dimensions of most tensors: packed ones have no batch. */
  int[] dims() {
    return c.geometry().packed() ? new int[] {1, 2, 3} : new int[] {0, 1, 2, 3};
  }

  /** The dimensions of lse. */
  int[] lseDims() {
    return c.geometry().packed() ? new int[] {1, 3} : new int[] {0, 1, 3};
  }

  /** The dimensions of what is added by distance. */
  int[] tableDims() {
    return new int[] {1, 2};
  }

  /** The dimensions of slopes. */
  int[] slopeDims() {
    return c.options().alibi() == Alibi.PER_HEAD ? new int[] {1} : new int[] {0, 1};
  }

  /** The dimensions of operands with one element for a query row. */
  int[] rowDims() {
    return c.geometry().packed() ? new int[] {1, 2} : new int[] {0, 1, 2};
  }

  /** The dimensions of gates of keys. */
  int[] keyGateDims() {
    return c.geometry().packed() ? new int[] {1, 3} : new int[] {0, 1, 3};
  }

  /** The layout of sinks, of dimension 3. */
  Layout perHead() {
    return Layout.dense(1, 1, 1, c.geometry().queryHeads());
  }

  /** The memory of inputs and outputs. */
  CaseBuffers buffers() {
    return buffers;
  }

  @Override
  public void close() {
    buffers.close();
  }
}

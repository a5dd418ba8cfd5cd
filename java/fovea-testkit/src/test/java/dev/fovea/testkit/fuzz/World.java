package dev.fovea.testkit.fuzz;

import dev.fovea.Attention;
import dev.fovea.AttentionCall;
import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.FoveaException;
import dev.fovea.Scope;
import dev.fovea.Status;
import dev.fovea.Tensor;
import dev.fovea.testkit.fuzz.Shapes.Role;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;

/**
 * Scopes, tensors, calls and backward passes that one round makes, uses in any order and closes. A
 * call either does what it says or throws what it documents. Where one thread has the world to
 * itself, a run writes the elements of its outputs and no others, and gives the bits of a new call
 * of the same.
 */
final class World implements AutoCloseable {

  private static final DType[] FLOATS = {DType.FLOAT32, DType.FLOAT16, DType.BFLOAT16};

  private final Device device;
  private final boolean alone;
  private final Shapes shapes;
  private final DType dtype;
  private final Heap heap = new Heap();
  private final Scope root;
  private final Pool<Scope> scopes = new Pool<>(6);
  private final Pool<Tensor> tensors = new Pool<>(120);
  private final Pool<Attention> attentions = new Pool<>(4);
  private final Pool<Calls.Forward> calls = new Pool<>(12);
  private final Pool<Calls.Backward> passes = new Pool<>(8);

  /** {@code alone}: one thread uses it. */
  World(Device device, boolean alone, Random random) {
    this.device = device;
    this.alone = alone;
    shapes = Shapes.draw(random);
    dtype = FLOATS[random.nextInt(3)];
    root = Scope.open(device);
    for (int i = 0; i < 30; i++) {
      for (Role role : Role.values()) {
        if (i < 2 || random.nextInt(8) == 0) {
          tensors.add(random, tensor(random, role, shapes.of(role, random)));
        }
      }
    }
    attentions.add(random, Attention.create());
  }

  /** Calls the API once, or a few times. */
  void step(Random random, Counts counts) {
    counts.calls++;
    try {
      switch (random.nextInt(24)) {
        case 0 -> makeScope(random);
        case 1 -> closeScope(random);
        case 2, 3 -> makeTensor(random);
        case 4, 5 -> view(random);
        case 6 -> touch(random);
        case 7 -> attentions.add(random, attention(random));
        case 8, 9 -> makeCall(random);
        case 10, 11, 12 -> bind(random);
        case 13 -> configure(random);
        case 14 -> forward(random);
        case 15 -> makePass(random, counts);
        case 16, 17 -> bindGradient(random);
        case 18, 19 -> runPass(random, counts);
        default -> run(random, counts);
      }
    } catch (IllegalArgumentException
        | IllegalStateException
        | UnsupportedOperationException
        | IndexOutOfBoundsException e) {
      counts.refused(e);
    } catch (FoveaException e) {
      if (e.status() != Status.OUT_OF_MEMORY) {
        throw e;
      }
      counts.refused(e);
    }
  }

  private void makeScope(Random random) {
    Scope parent = random.nextBoolean() ? scopes.any(random) : null;
    scopes.add(random, parent == null ? root.child() : parent.child());
  }

  private void closeScope(Random random) {
    Scope scope = scopes.any(random);
    if (scope != null && random.nextInt(3) == 0) { // what is in it has lived a while
      scope.close();
    }
  }

  private Scope scope(Random random) {
    Scope scope = random.nextInt(3) > 0 ? scopes.any(random) : null;
    return scope == null ? root : scope;
  }

  private static Role role(Random random) {
    return Role.values()[random.nextInt(Role.values().length)];
  }

  private void makeTensor(Random random) {
    Role role = role(random);
    long[] shape = shapes.of(role, random);
    if (random.nextInt(30) == 0) {
      long[] sizes = {0, 1, -1, 7, 1L << 40, Long.MAX_VALUE};
      shape[random.nextInt(shape.length)] = sizes[random.nextInt(sizes.length)];
    }
    tensors.add(random, tensor(random, role, shape));
  }

  private Tensor tensor(Random random, Role role, long[] shape) {
    DType type = type(role);
    if (random.nextInt(20) == 0) {
      type = DType.values()[random.nextInt(DType.values().length)];
    }
    Tensor made = random.nextBoolean() ? onHeap(random, type, shape) : null;
    if (made == null) {
      made = scope(random).allocate(type, shape);
    }
    fill(random, role, made);
    return made;
  }

  private DType type(Role role) {
    if (role.isInteger()) {
      return DType.INT32;
    }
    return role.isBoolean() ? DType.BOOL : role.isFloat32() ? DType.FLOAT32 : dtype;
  }

  /** Null where the heap has no room for it. */
  private Tensor onHeap(Random random, DType type, long[] shape) {
    long elements = 1;
    for (long size : shape) {
      if (size < 0 || size > 4096) {
        return null;
      }
      elements *= size;
    }
    if (elements > 4096) {
      return null;
    }
    MemorySegment piece = heap.piece(random, elements * type.byteSize(), type.byteSize());
    return piece == null ? null : Tensor.of(piece, type, shape);
  }

  private void fill(Random random, Role role, Tensor tensor) {
    if (tensor.elements() > 8192) {
      return;
    }
    int count = (int) tensor.elements();
    if (tensor.dtype() == DType.INT32) {
      int[] values = new int[count];
      int step = random.nextBoolean() ? shapes.queries() : shapes.keys();
      for (int i = 0; i < count; i++) {
        values[i] = role == Role.OFFSETS ? i * step : random.nextInt(step + 1);
        if (random.nextInt(60) == 0) {
          values[i] = random.nextInt();
        }
      }
      tensor.copyFrom(values);
    } else if (tensor.dtype() == DType.BOOL) {
      boolean[] values = new boolean[count];
      for (int i = 0; i < count; i++) {
        values[i] = random.nextBoolean();
      }
      tensor.copyFrom(values);
    } else if (tensor.dtype().isQuantized()) {
      byte[] values = new byte[count];
      random.nextBytes(values);
      tensor.copyFrom(values);
    } else {
      float[] values = new float[count];
      for (int i = 0; i < count; i++) {
        values[i] = (float) random.nextGaussian();
      }
      tensor.copyFrom(values);
    }
  }

  private void view(Random random) {
    Tensor from = tensors.any(random);
    int dim = random.nextInt(Math.max(1, from.rank()));
    tensors.add(
        random,
        switch (random.nextInt(8)) {
          case 0 -> from.transpose(dim, random.nextInt(from.rank() + 1));
          case 1 -> {
            long begin = random.nextInt(3);
            yield from.slice(dim, begin, begin + random.nextInt(6));
          }
          case 2 -> from.select(dim, random.nextInt(4));
          case 3 -> from.unsqueeze(random.nextInt(5));
          case 4 -> from.squeeze(dim);
          case 5 -> from.expand(shapes.of(role(random), random));
          case 6 -> from.reshape(-1, 1 + random.nextInt(4));
          default -> {
            int[] order = random.ints(0, 4).distinct().limit(4).toArray();
            yield from.permute(order);
          }
        });
  }

  private void touch(Random random) {
    Tensor tensor = tensors.any(random);
    switch (random.nextInt(5)) {
      case 0 -> tensor.copyFrom(Objects.requireNonNull(tensors.any(random)));
      case 1 -> tensors.add(random, tensor.contiguous(scope(random)));
      case 2 -> tensors.add(random, tensor.to(scope(random), FLOATS[random.nextInt(3)]));
      case 3 -> Objects.requireNonNull(tensor.toString());
      default -> tensor.allClose(tensors.any(random), 0.1, 0.1);
    }
  }

  private static Attention attention(Random random) {
    Attention.Builder builder = Attention.builder();
    if (random.nextBoolean()) {
      builder.causal();
    }
    if (random.nextInt(3) == 0) {
      builder.window(random.nextInt(8) - 2, random.nextInt(8) - 2);
    }
    if (random.nextInt(4) == 0) {
      builder.softcap(random.nextInt(5));
    }
    if (random.nextInt(4) == 0) {
      builder.dropout(random.nextInt(11) / 10.0);
    }
    if (random.nextInt(6) == 0) {
      builder.outDType(FLOATS[random.nextInt(3)]);
    }
    return builder.build();
  }

  /** One of the role's shape, mostly. */
  private Tensor operand(Random random, Role role) {
    if (random.nextInt(30) == 0) {
      return tensors.any(random);
    }
    long[] shape = shapes.of(role, random);
    return tensors.any(
        random,
        tensor ->
            Arrays.equals(tensor.shape(), shape)
                && (tensor.dtype() == DType.INT32) == role.isInteger()
                && (tensor.dtype() == DType.BOOL) == role.isBoolean());
  }

  private void makeCall(Random random) {
    boolean packed = random.nextInt(4) == 0;
    Calls.Forward call =
        new Calls.Forward(
            attentions.any(random),
            operand(random, packed ? Role.PACKED_QUERY : Role.QUERY),
            operand(random, packed ? Role.PACKED_KEY : Role.KEY),
            operand(random, packed ? Role.PACKED_VALUE : Role.VALUE));
    Tensor out = operand(random, packed ? Role.PACKED_OUT : Role.OUT);
    call.call.out(out);
    call.out = out;
    if (random.nextInt(3) > 0) {
      call.call.lse(call.lse = operand(random, Role.LSE));
    }
    if (packed) {
      offsets(random, call);
    }
    calls.add(random, call);
  }

  private void offsets(Random random, Calls.Forward it) {
    Tensor query = operand(random, Role.OFFSETS);
    Tensor key = operand(random, Role.OFFSETS);
    long longestQuery = random.nextInt(10) > 0 ? shapes.queries() : random.nextInt(30) - 1;
    long longestKey = random.nextInt(10) > 0 ? shapes.keys() : random.nextInt(30) - 1;
    it.call.cuSeqlens(query, key, longestQuery, longestKey);
    it.offsetsQ = query;
    it.offsetsK = key;
    it.longestQuery = longestQuery;
    it.longestKey = longestKey;
    it.lastOut = null;
  }

  private void bind(Random random) {
    Calls.Forward it = calls.any(random);
    if (it == null) {
      return;
    }
    boolean none = random.nextInt(3) > 0;
    AttentionCall call = it.call;
    switch (random.nextInt(10)) {
      case 0 -> call.bias(it.bias = none ? null : operand(random, Role.BIAS));
      case 1 -> call.alibiSlopes(it.slopes = none ? null : operand(random, Role.SLOPES));
      case 2 -> call.sinks(it.sinks = none ? null : operand(random, Role.SINKS));
      case 3 -> call.queryLengths(it.queryLengths = none ? null : operand(random, Role.LENGTHS));
      case 4 -> call.keyLengths(it.keyLengths = none ? null : operand(random, Role.LENGTHS));
      case 5 -> call.weights(it.weights = none ? null : operand(random, Role.WEIGHTS));
      case 6 ->
          call.out(it.out = operand(random, it.offsetsQ == null ? Role.OUT : Role.PACKED_OUT));
      case 7 -> call.mask(it.mask = none ? null : operand(random, Role.MASK));
      default -> call.lse(it.lse = random.nextInt(8) == 0 ? null : operand(random, Role.LSE));
    }
    it.lastOut = null;
  }

  private void configure(Random random) {
    Calls.Forward it = calls.any(random);
    if (it == null) {
      return;
    }
    if (random.nextBoolean()) {
      it.call.dropoutSeed(random.nextLong(), 7);
      it.seed = null; // it runs anew with a seed of its own
      it.lastOut = null;
    } else {
      it.call.parallelism(random.nextInt(5));
    }
  }

  private void forward(Random random) {
    Calls.Forward it = calls.any(random);
    if (it != null) {
      it.lastOut = null;
      tensors.add(random, it.call.forward(scope(random)));
    }
  }

  private void run(Random random, Counts counts) {
    Calls.Forward it = calls.any(random);
    if (it == null) {
      return;
    }
    if (!alone) {
      it.call.run();
      counts.runs++;
      return;
    }
    long seed = random.nextLong();
    it.call.dropoutSeed(seed, 1);
    it.seed = seed;
    it.offset = 1;
    it.lastOut = null;
    Differential.run(heap, it.written(), it.call::run, () -> it.again().run());
    it.lastOut = it.out;
    counts.runs++;
  }

  private void makePass(Random random, Counts counts) {
    Calls.Forward it =
        calls.any(
            random,
            call -> call.lse != null && call.weights == null && (!alone || call.lastOut != null));
    if (it == null) {
      return;
    }
    Tensor dout = operand(random, it.offsetsQ == null ? Role.OUT : Role.PACKED_OUT);
    Calls.Backward pass = new Calls.Backward(it, dout);
    Role[] roles =
        it.offsetsQ == null
            ? new Role[] {Role.QUERY, Role.KEY, Role.VALUE}
            : new Role[] {Role.PACKED_QUERY, Role.PACKED_KEY, Role.PACKED_VALUE};
    for (int i = 0; i < roles.length; i++) {
      Calls.Backward.set(pass.pass, i, pass.gradients[i] = operand(random, roles[i]));
    }
    passes.add(random, pass);
    runPass(pass, counts);
  }

  private void bindGradient(Random random) {
    Calls.Backward it = passes.any(random);
    if (it == null) {
      return;
    }
    int which = random.nextInt(8);
    if (which == 6) {
      it.pass.accumulate(it.accumulate = random.nextBoolean());
    } else if (which == 7) {
      Tensor dout = operand(random, it.of.offsetsQ == null ? Role.OUT : Role.PACKED_OUT);
      it.pass.dout(dout);
      it.dout = dout;
    } else {
      Role[] roles = {Role.QUERY, Role.KEY, Role.VALUE, Role.BIAS, Role.SLOPES, Role.SINKS};
      boolean none = which > 2 && random.nextBoolean();
      Tensor gradient = none ? null : operand(random, roles[which]);
      Calls.Backward.set(it.pass, which, it.gradients[which] = gradient);
    }
  }

  private void runPass(Random random, Counts counts) {
    Calls.Backward it =
        passes.any(random, pass -> pass.of.lse != null && (!alone || pass.of.lastOut != null));
    if (it != null) {
      runPass(it, counts);
    }
  }

  private void runPass(Calls.Backward it, Counts counts) {
    if (!alone || it.of.lastOut == null) {
      it.pass.run();
    } else {
      Differential.run(heap, it.written(), it.pass::run, () -> it.again().run());
    }
    counts.backwardRuns++;
  }

  /** Fails where memory of no tensor has been written. */
  void check() {
    heap.check();
  }

  @Override
  public void close() {
    List<Scope> open = scopes.list();
    open.forEach(Scope::close);
    root.close();
    heap.check();
    heap.close();
  }
}

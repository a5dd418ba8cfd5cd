package dev.fovea.cli.attend;

import dev.fovea.DType;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import dev.fovea.cli.memory.MemoryNeed;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Axis;
import dev.fovea.ffi.Operand.Type;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** The tensors of a run by the names of the declaration: read from files, or allocated for them. */
final class Operands {

  private static final List<String> COUNTS = List.of("no", "one", "two", "three", "four");

  private final Mechanism mechanism;
  private final Map<String, Path> files;
  private final NpyTensors reader;
  private final DType dtype; // null: that of each file
  private final Scope scope;
  private final MemoryNeed memory;
  private final boolean packed;
  private final Operand.Pages pages; // null: no rows lie in pages
  private final Map<String, Tensor> tensors = new HashMap<>();
  private final Map<String, Long> sizes = new HashMap<>(); // by symbol

  /**
   * None yet.
   *
   * @param files of operands, by name
   * @param dtype type to convert what shares one to
   * @param scope owns what is allocated
   * @throws IllegalArgumentException if sequences are packed on one side alone
   */
  Operands(
      Mechanism mechanism,
      Map<String, Path> files,
      NpyTensors reader,
      DType dtype,
      Scope scope,
      MemoryNeed memory) {
    this.mechanism = mechanism;
    this.files = files;
    this.reader = reader;
    this.dtype = dtype;
    this.scope = scope;
    this.memory = memory;
    Operand.Pages may = mechanism.declaration().pages();
    pages =
        mechanism.operands().stream()
                .anyMatch(it -> may != null && it.present() == may.present() && file(it) != null)
            ? may
            : null;
    List<Operand> offsets = offsets();
    long given = offsets.stream().filter(it -> file(it) != null).count();
    packed = given > 0;
    if (packed && given < offsets.size()) {
      throw new IllegalArgumentException(packedNeeds());
    }
  }

  private List<Operand> offsets() {
    return mechanism.operands().stream()
        .filter(it -> it.type() == Type.OFFSETS && (pages == null || it.counts() != pages.of()))
        .toList();
  }

  private String packedNeeds() {
    return "packed sequences need "
        + offsets().stream()
            .map(it -> Mechanism.option(it.name()))
            .collect(Collectors.joining(" and "));
  }

  /** Null if the command line names none. */
  Path file(Operand operand) {
    return files.get(operand.name());
  }

  /** Where an operand that is written goes; null if the command line names no file. */
  Path result(Operand operand) {
    return files.get(Mechanism.result(operand));
  }

  /** Null if it is absent. */
  Tensor get(String name) {
    return tensors.get(mechanism.declaration().requireOperand(name));
  }

  /** The element type that most have. */
  DType dtype() {
    return get(mechanism.operands().getFirst().name()).dtype();
  }

  /** True if sequences lie end to end. */
  boolean isPacked() {
    return packed;
  }

  /** Of a size, such as the rows of the longest of packed sequences. */
  long size(String symbol) {
    return sizes.get(symbol);
  }

  /** Sets a size that no file has, for results that are shaped after it. */
  void size(String symbol, long size) {
    sizes.put(symbol, size);
  }

  /** Reads an operand, unless it is absent. */
  void read(Operand operand) throws IOException {
    if (file(operand) == null) {
      return;
    }
    String option = Mechanism.option(operand.name());
    Tensor tensor =
        switch (operand.type()) {
          case SPEC, QUERY, CACHE, OUT, GRADIENT -> reader.floats(option, file(operand), dtype);
          case OWN -> reader.floats(option, file(operand), null);
          case FLOAT32 -> reader.float32s(option, file(operand));
          case INT32 -> reader.int32s(option, file(operand));
          case BOOL -> reader.bools(option, file(operand));
          case OFFSETS -> offsets(operand, reader.integers(option, file(operand)));
        };
    tensors.put(operand.name(), operand.inPlace() ? copy(option, tensor) : tensor);
    if (pages != null && operand.present() == pages.present() && tensor.rank() > 0) {
      Long rows = sizes.get(pages.rows().symbol());
      if (rows != null) { // else the cache comes later, and nothing is shaped after it
        sizes.put(pages.of().symbol(), tensor.size(tensor.rank() - 1) * rows);
      }
    }
    if (operand.present() == null && !mechanism.isGradient(operand)) {
      measure(operand, tensor);
    }
  }

  /** What a run may write, and no file is. */
  private Tensor copy(String option, Tensor tensor) {
    memory.add(option, tensor.dtype(), tensor.shape());
    return scope.allocate(tensor.dtype(), tensor.shape()).copyFrom(tensor);
  }

  /** Takes sizes that results are shaped after; the call checks all the rest. */
  private void measure(Operand operand, Tensor tensor) {
    List<Axis> axes = operand.axes(packed, pages);
    if (tensor.rank() == axes.size() - 1 && axes.getFirst().sums()) {
      axes = axes.subList(1, axes.size());
    }
    if (tensor.rank() != axes.size() || tensor.size(axes.size() - 1) == 0) {
      boolean ragged =
          tensor.rank() < axes.size() && tensor.rank() == operand.axes(true, pages).size();
      throw new IllegalArgumentException(
          "%s %s has shape %s, expected %s dimensions %s, the last of 1 or more%s"
              .formatted(
                  Mechanism.option(operand.name()),
                  file(operand),
                  NpyTensors.text(tensor),
                  COUNTS.get(axes.size()),
                  axes.stream().map(Axis::symbol).toList(),
                  ragged ? "; " + packedNeeds() : ""));
    }
    for (int dim = 0; dim < axes.size(); dim++) {
      if (!axes.get(dim).sums()) {
        sizes.putIfAbsent(axes.get(dim).symbol(), tensor.size(dim));
      }
    }
  }

  /**
   * Takes the longest sequence, which the plan depends on, from offsets that are right: a device
   * cannot say what is wrong with them.
   */
  private Tensor offsets(Operand operand, int[] offsets) {
    String name = Mechanism.option(operand.name()) + " " + file(operand);
    long rows = sizes.get(operand.counts().totalSymbol());
    if (offsets.length == 0 || offsets[0] != 0 || offsets[offsets.length - 1] != rows) {
      throw new IllegalArgumentException(
          "%s has %s, expected offsets from 0 to %d, one more than there are sequences"
              .formatted(
                  name,
                  offsets.length == 0
                      ? "no elements"
                      : "offsets from %d to %d".formatted(offsets[0], offsets[offsets.length - 1]),
                  rows));
    }
    int longest = 0;
    for (int i = 1; i < offsets.length; i++) {
      if (offsets[i] < offsets[i - 1] || offsets[i] > rows) {
        throw new IllegalArgumentException(
            "element %d of %s is %d, expected %d to %d"
                .formatted(i, name, offsets[i], offsets[i - 1], rows));
      }
      longest = Math.max(longest, offsets[i] - offsets[i - 1]);
    }
    sizes.put(operand.counts().symbol(), (long) longest);
    sizes.put(mechanism.declaration().batch().symbol(), offsets.length - 1L);
    return reader.ints(offsets);
  }

  /** A new tensor for a result, if the machine has room for it. */
  void allocate(Operand operand) {
    long[] shape =
        mechanism.isGradient(operand)
            ? get(NativeOperation.original(operand.name())).shape()
            : operand.axes(packed, pages).stream()
                .mapToLong(axis -> sizes.get(axis.symbol()))
                .toArray();
    DType type =
        switch (operand.type()) {
          case FLOAT32 -> DType.FLOAT32;
          case INT32 -> DType.INT32;
          default -> dtype();
        };
    memory.add(Mechanism.option(operand.name()), type, shape);
    tensors.put(operand.name(), scope.allocate(type, shape));
  }

  /** Options and files, and sizes by where they come from. */
  Wording wording() {
    Wording wording = new Wording();
    for (Operand operand : mechanism.operands()) {
      String option = Mechanism.option(operand.name());
      if (file(operand) == null) {
        wording.with(option);
        continue;
      }
      wording.with(option, file(operand));
      if (Mechanism.isRead(operand)) {
        wording.withSizes(operand, file(operand));
      }
    }
    return wording;
  }
}

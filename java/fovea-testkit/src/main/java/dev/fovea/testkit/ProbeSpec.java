package dev.fovea.testkit;

import dev.fovea.DType;
import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Field;
import dev.fovea.ffi.NativeOperation;
import dev.fovea.ffi.Operand;
import dev.fovea.ffi.Operand.Size;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import java.util.stream.Stream;

/**
 * A small case of an operation as a planner sees it, with dense operands and some features. Made
 * from the declaration alone. Immutable.
 */
final class ProbeSpec {

  /**
   * Something that a spec may have beyond the plain case.
   *
   * @param name as the declaration has it
   * @param passes that know it
   * @param isChoice whether only a planner knows if its number is one of an option's
   * @param operands that are present then
   * @param numbers sets the rest
   */
  record Feature(
      String name,
      List<Pass> passes,
      boolean isChoice,
      Set<String> operands,
      Consumer<MemorySegment> numbers) {}

  // Odd, and as good for sizes of operands as for the heads that share one.
  private static final long SMALL = 3;

  // Of a size that only operands have which may be absent: odd, too, and room for what plain ones
  // ask.
  private static final long ROOMY = 9;

  private static final long BOUND = SMALL - 1; // of an option: it may have to be below a size

  private static final int CHOICES = 8; // numbers that are tried of an option

  private static final List<Pass> BOTH = List.of(Pass.values());
  private static final List<Pass> BACKWARD = List.of(Pass.BACKWARD);

  private final NativeOperation operation;
  private final Map<String, Long> sizes;
  private final Set<String> present; // of operands that may be absent
  private final Consumer<MemorySegment> numbers;

  private ProbeSpec(
      NativeOperation operation,
      Map<String, Long> sizes,
      Set<String> present,
      Consumer<MemorySegment> numbers) {
    this.operation = operation;
    this.sizes = sizes;
    this.present = present;
    this.numbers = numbers;
  }

  /**
   * Plain cases to try: nothing optional, and all sizes small, or one of them another, where its
   * range is narrow.
   */
  static Stream<ProbeSpec> plain(NativeOperation operation) {
    Map<String, Long> sizes =
        operation.sizes().stream().collect(Collectors.toMap(Size::name, size -> SMALL));
    Set<String> optional = new ProbeSpec(operation, sizes, Set.of(), spec -> {}).absentSizes();
    optional.forEach(it -> sizes.put(it, ROOMY));
    ProbeSpec all = new ProbeSpec(operation, sizes, Set.of(), spec -> {});
    return Stream.concat(
        Stream.of(all),
        operation.sizes().stream()
            .flatMap(it -> LongStream.of(2, 1, 4).mapToObj(value -> all.with(it, value))));
  }

  /** The same with another size. */
  ProbeSpec with(Size size, long value) {
    Map<String, Long> other = new HashMap<>(sizes);
    other.put(size.name(), value);
    return new ProbeSpec(operation, other, present, numbers);
  }

  /** The same with another size for all that only operands have which are not there. */
  ProbeSpec withOptional(long value) {
    Map<String, Long> other = new HashMap<>(sizes);
    absentSizes().forEach(it -> other.put(it, value));
    return new ProbeSpec(operation, other, present, numbers);
  }

  /** The same with one more feature. */
  ProbeSpec with(Feature feature) {
    Set<String> more = new HashSet<>(present);
    more.addAll(feature.operands());
    return new ProbeSpec(operation, sizes, more, numbers.andThen(feature.numbers()));
  }

  /** What a size is. */
  long size(Size size) {
    return sizes.get(size.name());
  }

  /** Sizes that no operand has which is there. */
  Set<String> absentSizes() {
    Set<String> there =
        operation.operands(Abi.FORWARD).stream()
            .filter(it -> it.present() == null || present.contains(it.name()))
            .flatMap(it -> it.dims().stream())
            .filter(dim -> dim.size() != null)
            .map(dim -> dim.size().name())
            .collect(Collectors.toCollection(HashSet::new));
    Operand.Pages pages = pages();
    if (pages != null) {
      there.add(pages.count().name());
      there.add(pages.rows().name());
    }
    return operation.sizes().stream()
        .map(Size::name)
        .filter(name -> !there.contains(name))
        .collect(Collectors.toSet());
  }

  /** Where rows lie in pages; else null. */
  private Operand.Pages pages() {
    Operand.Pages pages = operation.pages();
    boolean there =
        pages != null
            && operation.operands(Abi.FORWARD).stream()
                .anyMatch(it -> it.present() == pages.present() && present.contains(it.name()));
    return there ? pages : null;
  }

  /** The block of fovea.h. */
  MemorySegment block(Arena arena, Pass pass, DType dtype) {
    int code = pass == Pass.BACKWARD ? Abi.BACKWARD : Abi.FORWARD;
    Map<String, Layout> layouts = new HashMap<>();
    for (Operand operand : operation.operands(code)) {
      boolean saved = pass == Pass.BACKWARD && operation.isSaved(operand.name());
      if (operand.present() == null || saved || present.contains(operand.name())) {
        layouts.put(operand.name(), dense(operand));
      }
    }
    byte[] bytes =
        new OperandTable(operation, code, new Sizes(), layouts)
            .spec(
                spec -> {
                  operation.dtype().set(spec, CaseFile.dtype(dtype));
                  if (dtype.isQuantized()) { // which nothing that is written is
                    operation.outDType().set(spec, CaseFile.dtype(DType.FLOAT32));
                  }
                  numbers.accept(spec);
                });
    MemorySegment block = arena.allocate(bytes.length, Long.BYTES);
    return block.copyFrom(MemorySegment.ofArray(bytes));
  }

  private Layout dense(Operand operand) {
    boolean packed =
        new Sizes().packed() && operand.dims().stream().anyMatch(Operand.Dim::isPacked);
    long[] size = new long[operand.dims().size()];
    boolean ofRows = false; // the rows of all packed sequences lie in the first dimension of any
    for (int i = 0; i < size.length; i++) {
      Operand.Dim dim = operand.dims().get(i);
      size[i] = dim.size() == null || (packed && i == 0) ? 1 : size(dim.size());
      if (operand.paged() && pages() != null && i < 2) {
        size[i] = size(i == 0 ? pages().count() : pages().rows());
      } else if (packed && dim.isPacked() && !ofRows) {
        size[i] *= size(operation.sizes().getFirst());
        ofRows = true;
      }
    }
    long[] stride = new long[size.length - 1];
    long block = size[size.length - 1];
    for (int dim = stride.length - 1; dim >= 0; dim--) {
      stride[dim] = block;
      block *= size[dim];
    }
    return new Layout(0, stride, size, 0); // nobody allocates it
  }

  /** Sequences have a length and, where they are packed, all of the same one. */
  private final class Sizes implements CaseSizes {
    private final Set<String> absent = absentSizes();

    @Override
    public long rows(Size size) {
      return absent.contains(size.name()) ? 0 : sizes.get(size.name());
    }

    @Override
    public boolean packed() {
      return operation.operands(Abi.FORWARD).stream()
          .anyMatch(it -> it.type() == Operand.Type.OFFSETS && present.contains(it.name()));
    }

    @Override
    public long total(Size size) {
      return packed() ? rows(size) * rows(operation.sizes().getFirst()) : 0;
    }

    @Override
    public int[] lengths(Operand operand) {
      return present.contains(operand.name()) ? new int[0] : null;
    }
  }

  /** All that the declaration has: options, then types, then operands that may be absent. */
  static List<Feature> features(NativeOperation operation) {
    List<Feature> features = new ArrayList<>(options(operation));
    if (has(operation, Operand.Type.OUT)) {
      types("out_dtype ", BOTH, operation.outDType()).forEach(features::add);
    }
    if (has(operation, Operand.Type.GRADIENT)) {
      types("gradient_dtype ", BACKWARD, operation.gradientDType()).forEach(features::add);
    }
    features.addAll(operands(operation));
    return features;
  }

  private static boolean has(NativeOperation operation, Operand.Type type) {
    return Stream.of(Abi.FORWARD, Abi.BACKWARD)
        .flatMap(pass -> operation.operands(pass).stream())
        .anyMatch(it -> it.type() == type);
  }

  private static Stream<Feature> types(String name, List<Pass> passes, Field.Int32 field) {
    return FeatureSurvey.TYPES.stream()
        .map(it -> number(name + text(it), passes, s -> field.set(s, CaseFile.dtype(it))));
  }

  private static String text(DType dtype) {
    return dtype.name().toLowerCase(Locale.ROOT);
  }

  private static Feature number(String name, List<Pass> passes, Consumer<MemorySegment> set) {
    return new Feature(name, passes, false, Set.of(), set);
  }

  /** Fields of the block that are neither sizes, types nor strides, and say of no operand what. */
  private static List<Feature> options(NativeOperation operation) {
    Set<Field> known = new HashSet<>();
    known.add(operation.int32("size"));
    known.add(operation.pass());
    known.add(operation.dtype());
    known.add(operation.outDType());
    known.add(operation.gradientDType());
    for (Size size : operation.sizes()) {
      known.add(size.rows());
      known.add(size.total());
    }
    for (int pass : List.of(Abi.FORWARD, Abi.BACKWARD)) {
      operation.operands(pass).forEach(it -> known.add(it.present()));
    }
    Map<String, MemoryLayout> members = new LinkedHashMap<>();
    for (MemoryLayout member : operation.spec().memberLayouts()) {
      member.name().ifPresent(name -> members.put(name, member));
    }
    return members.keySet().stream()
        .filter(name -> !name.startsWith("reserved"))
        .filter(name -> !(name.startsWith("has_") && members.containsKey(name.substring(4))))
        .flatMap(name -> option(operation, members, known, name))
        .toList();
  }

  /** None where the field is known, one for each number where it is a choice. */
  private static Stream<Feature> option(
      NativeOperation operation, Map<String, MemoryLayout> members, Set<Field> known, String name) {
    MemoryLayout layout = members.get(name).withoutName();
    Consumer<MemorySegment> has =
        members.containsKey("has_" + name)
            ? spec -> operation.int32("has_" + name).set(spec, 1)
            : spec -> {};
    if (layout.equals(ValueLayout.JAVA_FLOAT)) {
      // Within the range of every number that has one.
      return Stream.of(
          number(name, BOTH, has.andThen(spec -> operation.float32(name).set(spec, 0.5f))));
    }
    if (layout.equals(ValueLayout.JAVA_LONG) && !known.contains(operation.int64(name))) {
      return Stream.of(
          number(name, BOTH, has.andThen(spec -> operation.int64(name).set(spec, BOUND))));
    }
    if (layout.equals(ValueLayout.JAVA_INT) && !known.contains(operation.int32(name))) {
      return choices(operation, name).stream();
    }
    return Stream.empty();
  }

  private static List<Feature> choices(NativeOperation operation, String name) {
    Field.Int32 field = operation.int32(name);
    boolean ofGradients =
        field.equals(operation.accumulate()) || field.equals(operation.deterministic());
    List<Pass> passes = ofGradients ? BACKWARD : BOTH;
    List<Feature> choices = new ArrayList<>();
    choices.add(number(name, passes, spec -> field.set(spec, 1)));
    for (int choice = 2; choice <= CHOICES; choice++) {
      int value = choice;
      choices.add(
          new Feature(name + " " + value, passes, true, Set.of(), spec -> field.set(spec, value)));
    }
    return choices;
  }

  /** Operands with one field that says they are there are one feature. */
  private static List<Feature> operands(NativeOperation operation) {
    Map<Field.Int32, List<Operand>> optional = new LinkedHashMap<>();
    Map<String, List<Pass>> passes = new HashMap<>();
    for (Pass pass : Pass.values()) {
      for (Operand it : operation.operands(pass == Pass.BACKWARD ? Abi.BACKWARD : Abi.FORWARD)) {
        boolean first = passes.computeIfAbsent(it.name(), name -> new ArrayList<>()).isEmpty();
        passes.get(it.name()).add(pass);
        if (it.present() != null && first) {
          optional.computeIfAbsent(it.present(), field -> new ArrayList<>()).add(it);
        }
      }
    }
    List<Feature> features = new ArrayList<>();
    optional.forEach(
        (field, operands) -> {
          Operand first = operands.getFirst();
          Set<String> there = operands.stream().map(Operand::name).collect(Collectors.toSet());
          if (operation.isGradient(first.name())) {
            there.add(NativeOperation.original(first.name()));
          }
          String name = operands.stream().map(Operand::name).collect(Collectors.joining(", "));
          List<Pass> known = passes.get(first.name());
          if (first.type() == Operand.Type.OWN) {
            for (DType dtype : FeatureSurvey.TYPES) {
              features.add(
                  new Feature(
                      name + " " + text(dtype),
                      known,
                      false,
                      there,
                      s -> field.set(s, CaseFile.dtype(dtype))));
            }
          } else {
            features.add(new Feature(name, known, false, there, spec -> {}));
          }
        });
    return features;
  }
}

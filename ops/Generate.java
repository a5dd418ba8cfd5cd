import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Writes what follows from the declarations ops/*.op: blocks and prototypes of fovea.h, tables of
 * operands, entry points, and their likes in Java and Python. The notation: ops/README.md.
 *
 * <p>usage: java ops/Generate.java [--check]; with --check it writes nothing and fails where a file is
 * not what it would write.
 */
class Generate {

  // ---- what a declaration says

  /** An int64 of the spec: rows of a dimension, or of all packed sequences together. */
  record Size(String name, String symbol, String low, String high, String of, String comment) {}

  record Option(String name, String kind, String comment) {}

  /** {@code dims} are symbols of sizes or "1"; those with ~ may be of one element. */
  record Operand(
      String name, boolean optional, String type, List<String> dims, String role, String comment) {

    /** All but the last dimension, whose elements lie side by side, have a stride. */
    int strides() {
      return role.isEmpty() || role.equals("saved") || role.equals("gradient")
          ? Math.max(0, dims.size() - 1)
          : 0;
    }

    String pointer() {
      return switch (type) {
        case "f32" -> "float*";
        case "i32" -> "int32_t*";
        default -> "void*";
      };
    }

    boolean differentiable() {
      return role.equals("gradient");
    }

    /** The gradient in it: of the type that is asked for, or float32 and only where it is. */
    Operand gradient() {
      boolean asked = !type.equals("T");
      return new Operand("d" + name, asked, asked ? "f32" : "G", dims, "", "");
    }
  }

  record Operation(
      String name,
      int id,
      List<String> text,
      List<Size> sizes,
      List<Option> options,
      List<Operand> in,
      List<Operand> out) {

    List<Operand> forward() {
      return Stream.concat(in.stream(), out.stream()).toList();
    }

    /** What the forward read, dout, what the forward wrote and keeps, and the gradients. */
    List<Operand> backward() {
      Operand first = out.getFirst();
      Operand dout = new Operand("d" + first.name, false, first.type, first.dims, "", "");
      return Stream.of(
              in.stream(),
              Stream.of(dout),
              out.stream().filter(o -> o.role.equals("saved")),
              gradients())
          .flatMap(operands -> operands)
          .toList();
    }

    Stream<Operand> gradients() {
      return in.stream().filter(Operand::differentiable).map(Operand::gradient);
    }

    boolean packs() {
      return sizes.stream().anyMatch(size -> size.of != null);
    }

    /** Its name in Java: scaled_dot is ScaledDot. */
    String type() {
      return camel("_" + name);
    }
  }

  /** One of a block, in the order of the ABI. */
  record Field(String type, String name, int count, String comment) {}

  static List<Field> fields(Operation op) {
    List<Field> words = new ArrayList<>();
    word(words, "size", "");
    word(words, "pass", "FOVEA_FORWARD or FOVEA_BACKWARD");
    word(words, "dtype", "FOVEA_FLOAT32, _FLOAT16 or _BFLOAT16");
    word(words, "out_dtype", "0 = dtype");
    word(words, "gradient_dtype", "backward, of gradients; 0 = dtype");
    for (Operand it : op.forward()) {
      if (it.type.equals("any")) {
        word(words, it.name + "_dtype", "0 = no " + it.name);
      }
    }
    if (op.packs()) {
      word(words, "packed", "1 = ragged: cu_seqlens_* are given, batch strides are unused");
    }
    for (Option it : op.options) {
      switch (it.kind) {
        case "flag" -> word(words, it.name, it.comment);
        case "bound", "number?" -> word(words, "has_" + it.name, "0 = none: " + it.name + " is not read");
        default -> {}
      }
    }
    for (Operand it : op.forward()) {
      if (hasFlag(it)) {
        word(words, "has_" + it.name, "1 = " + it.name + " is given");
      }
    }
    word(words, "deterministic", "backward: 1 = the same bits on every run; the CPU always gives them");
    word(words, "accumulate", "backward: 1 = gradients but dquery are added to what is there");
    op.gradients()
        .filter(Operand::optional)
        .forEach(it -> word(words, "has_" + it.name, "backward: 1 = " + it.name + " is written"));
    for (Option it : op.options) {
      if (it.kind.startsWith("number")) {
        words.add(new Field("float", it.name, 0, it.comment));
      }
    }
    if (words.size() % 2 == 1) {
      word(words, "reserved0", "zero");
    }
    List<Field> all = new ArrayList<>(words);
    all.set(0, new Field("uint32_t", "size", 0, ""));
    for (Option it : op.options) {
      if (it.kind.equals("bound")) {
        all.add(new Field("int64_t", it.name, 0, ">= 0; " + it.comment));
      }
    }
    for (Size it : op.sizes) {
      all.add(new Field("int64_t", it.name, 0, it.symbol + (it.comment.isEmpty() ? "" : ": " + it.comment)));
    }
    Stream.concat(op.forward().stream(), op.backward().stream())
        .distinct()
        .filter(it -> it.strides() > 0)
        .forEach(it -> all.add(new Field("int64_t", it.name + "_stride", it.strides(), strideComment(it))));
    return all;
  }

  private static void word(List<Field> fields, String name, String comment) {
    fields.add(new Field("int32_t", name, 0, comment));
  }

  /** Whether a flag of the spec says that it is there: else its type does, or that sequences are packed. */
  private static boolean hasFlag(Operand it) {
    return it.optional && !it.type.equals("any") && !it.role.startsWith("offsets");
  }

  private static String strideComment(Operand it) {
    String dims = String.join(", ", it.dims.subList(0, it.strides()));
    return "of [" + dims + "]";
  }

  // ---- C

  static String struct(Operation op) {
    StringBuilder text = new StringBuilder("typedef struct fovea_%s_spec {\n".formatted(op.name));
    for (Field it : fields(op)) {
      String line = "  %s %s%s;".formatted(it.type, it.name, it.count == 0 ? "" : "[" + it.count + "]");
      String comment = it.comment.isEmpty() ? "" : "/* " + it.comment + " */";
      if (line.length() + 1 + comment.length() <= WIDTH) {
        text.append((line + " " + comment).stripTrailing()).append('\n');
      } else {
        text.append("  ").append(comment).append('\n').append(line).append('\n');
      }
    }
    return text + "} fovea_%s_spec;\n".formatted(op.name);
  }

  static String prototypes(Operation op) {
    return Stream.of(
            "FOVEA_API " + planSignature(op),
            "FOVEA_API " + runSignature(op, "", op.forward(), op.in.size()),
            "FOVEA_API " + runSignature(op, "_backward", op.backward(), written(op)))
        .map(signature -> wrapped(signature, "    ") + ";\n")
        .collect(Collectors.joining("\n"));
  }

  /** How many operands of a backward pass come before those that it writes. */
  private static int written(Operation op) {
    return op.backward().size() - (int) op.gradients().count();
  }

  private static String planSignature(Operation op) {
    return "int32_t fovea_plan_%1$s(const fovea_%1$s_spec* spec, const fovea_device_info* device, fovea_plan* plan)"
        .formatted(op.name);
  }

  /** Operands from {@code written} on are not const. */
  private static String runSignature(Operation op, String pass, List<Operand> operands, int written) {
    String parameters =
        IntStream.range(0, operands.size())
            .mapToObj(i -> (i < written ? "const " : "") + operands.get(i).pointer() + " " + operands.get(i).name)
            .collect(Collectors.joining(", "));
    return "int32_t fovea_run_%s%s(const fovea_plan* plan, fovea_call* call, %s, void* workspace, void* scratch, void* stream)"
        .formatted(op.name, pass, parameters);
  }

  /** Operands as a struct, which is an array of addresses at once. */
  private static String members(String name, List<Operand> operands, int written) {
    return "struct %s {\n".formatted(name)
        + each(
            IntStream.range(0, operands.size()).boxed(),
            i -> "%s%s %s;".formatted(i < written ? "const " : "", operands.get(i).pointer(), operands.get(i).name))
        + "};\n";
  }

  private static <T> List<T> behind(List<T> all, int first) {
    return all.subList(first, all.size());
  }

  static String table(Operation op) {
    Stream<Field> words = fields(op).stream().filter(it -> it.type.equals("int32_t"));
    return """
        // What %1$s takes and gives. Made by ops/Generate.java from ops/%1$s.op.
        #pragma once

        #include "core/operation.h"

        namespace fovea::%1$s {

        using Spec = fovea_%1$s_spec;

        %2$s
        %3$s
        %12$s
        constexpr Field kTypes[] = {
        %4$s};
        constexpr Field kFlags[] = {
        %5$s};
        constexpr Field kBounds[] = {
        %6$s};
        constexpr Field kNumbers[] = {
        %13$s};
        constexpr Size kSizes[] = {
        %7$s};
        constexpr Operand kForward[] = {
        %8$s};
        constexpr Operand kBackward[] = {
        %9$s};
        int32_t resolve(fovea_plan& plan);

        constexpr Operation kOperation = {
            "%1$s", %10$d, sizeof(Spec), offsetof(Spec, pass), %11$s,
            kTypes, kFlags, kBounds, kNumbers, kSizes, {kForward, kBackward}, resolve,
        };

        }  // namespace fovea::%1$s
        """
        .formatted(
            op.name,
            members("Inputs", op.in, op.in.size()),
            members("ForwardOperands : Inputs", op.out, 0),
            each(fields(op).stream().filter(it -> it.name.endsWith("dtype")), it -> field(it.name) + ","),
            each(words.filter(Generate::isFlag), it -> field(it.name) + ","),
            each(op.options.stream().filter(it -> it.kind.equals("bound")), it -> field(it.name) + ","),
            each(op.sizes.stream().filter(size -> size.of == null), it -> size(op, it)),
            rows(op, op.forward(), op.in.size()),
            rows(op, op.backward(), written(op)),
            op.id,
            offset(op.packs() ? "packed" : null),
            members("BackwardOperands : Inputs", behind(op.backward(), op.in.size()), written(op) - op.in.size()),
            each(fields(op).stream().filter(it -> it.type.equals("float")), it -> field(it.name) + ","));
  }

  private static String field(String name) {
    return "{\"%1$s\", offsetof(Spec, %1$s)}".formatted(name);
  }

  private static boolean isFlag(Field it) {
    return !it.name.endsWith("dtype") && !it.name.equals("reserved0");
  }

  private static String size(Operation op, Size it) {
    String total =
        op.sizes.stream().filter(size -> it.symbol.equals(size.of)).map(size -> field(size.name)).findFirst().orElse("{}");
    return "{%s, %s, %s, %s},".formatted(field(it.name), it.low, it.high, total);
  }

  private static String rows(Operation op, List<Operand> operands, int written) {
    return each(
        IntStream.range(0, operands.size()).boxed(), i -> row(op, operands.get(i), i >= written));
  }

  private static String row(Operation op, Operand it, boolean written) {
    String type =
        Map.of("T", "kSpec", "O", "kOut", "G", "kGradient", "any", "kOwn", "f32", "kFloat32", "i32", "kInt32")
            .get(it.type);
    String role = it.role.startsWith("offsets") ? "kOffsets" : it.role.startsWith("lengths") ? "kLengths" : "kTensor";
    String present = present(it);
    String dims = it.dims.stream().map(dim -> dim(op, dim)).collect(Collectors.joining(", "));
    int counts = role.equals("kTensor") ? -1 : index(op, it.role.replaceFirst(".* ", ""));
    return "{\"%s\", Type::%s, Role::%s, %s, %d, %s, %s, %d, {%s}},"
        .formatted(it.name, type, role, written, counts, offset(present), offset(it.strides() == 0 ? null : it.name + "_stride"), it.dims.size(), dims);
  }

  /** The field that is not 0 where it is there; null if it always is. */
  private static String present(Operand it) {
    return it.type.equals("any")
        ? it.name + "_dtype"
        : hasFlag(it) ? "has_" + it.name : it.role.startsWith("offsets") ? "packed" : null;
  }

  private static String offset(String field) {
    return field == null ? "0" : "offsetof(Spec, " + field + ")";
  }

  private static String dim(Operation op, String dim) {
    return "{%d, %s}".formatted(index(op, dim.replace("~", "")), dim.endsWith("~"));
  }

  private static int index(Operation op, String symbol) {
    int index = op.sizes.stream().map(Size::symbol).toList().indexOf(symbol);
    if (index < 0 && !symbol.equals("1")) {
      throw new IllegalArgumentException(op.name + " has no size " + symbol);
    }
    return index;
  }

  private static <T> String each(Stream<T> all, Function<T, String> line) {
    return all.map(it -> "  " + line.apply(it) + "\n").collect(Collectors.joining());
  }

  static String entry(Operation op) {
    return """
        // The functions of fovea.h for %1$s. Made by ops/Generate.java from ops/%1$s.op.

        #include "core/entry.h"
        #include "ops/%1$s/operation.h"

        using namespace fovea;

        %2$s {
          return plan_pass(%1$s::kOperation, spec, device, plan);
        }

        %3$s
        %4$s"""
        .formatted(
            op.name,
            wrapped(planSignature(op), "    "),
            run(op, "", "FOVEA_FORWARD", "ForwardOperands", op.forward(), op.in.size()),
            run(op, "_backward", "FOVEA_BACKWARD", "BackwardOperands", op.backward(), written(op)));
  }

  private static String run(
      Operation op, String suffix, String pass, String struct, List<Operand> operands, int written) {
    String inputs = op.in.stream().map(Operand::name).collect(Collectors.joining(", "));
    String others = behind(operands, op.in.size()).stream().map(Operand::name).collect(Collectors.joining(", "));
    return """
        %s {
        %s;
          return run_pass(%s::kOperation, %s, plan, call, &operands, workspace, scratch, stream);
        }
        """
        .formatted(
            wrapped(runSignature(op, suffix, operands, written), "    "),
            wrapped("  const %s::%s operands = {{%s}, %s}".formatted(op.name, struct, inputs, others), "      "),
            op.name,
            pass);
  }

  // ---- Java

  static String specClass(Operation op) {
    String members =
        each(
            fields(op).stream(),
            it ->
                "          "
                    + (it.count == 0
                        ? "ValueLayout.%s".formatted(layout(it))
                        : "MemoryLayout.sequenceLayout(%d, ValueLayout.%s)".formatted(it.count, layout(it)))
                    + ".withName(\"%s\"),".formatted(it.name));
    String constants =
        fields(op).stream()
            .map(
                it -> {
                  String type = "Field." + (it.count > 0 ? "Int64Array" : accessor(it));
                  String name = it.name.toUpperCase(java.util.Locale.ROOT);
                  String value = "%s.of(LAYOUT, \"%s\");".formatted(type, it.name);
                  String line = "  public static final %s %s = %s\n".formatted(type, name, value);
                  return line.length() <= WIDTH + 1 ? line : line.replace(" = ", " =\n      ");
                })
            .collect(Collectors.joining());
    return """
        package dev.fovea.ffi;

        import java.lang.foreign.Arena;
        import java.lang.foreign.MemoryLayout;
        import java.lang.foreign.MemorySegment;
        import java.lang.foreign.StructLayout;
        import java.lang.foreign.ValueLayout;

        /** {@code fovea_%1$s_spec}, with the fields of {@code fovea.h}. Made by ops/Generate.java. */
        public final class Fovea%2$sSpec {
          public static final StructLayout LAYOUT =
              MemoryLayout.structLayout(
        %3$s)
                  .withName("fovea_%1$s_spec");

        %4$s
          private Fovea%2$sSpec() {}

          /** A new zeroed block that knows its size. */
          public static MemorySegment allocate(Arena arena) {
            MemorySegment block = arena.allocate(LAYOUT);
            SIZE.set(block, (int) LAYOUT.byteSize());
            return block;
          }
        }
        """
        .formatted(op.name, op.type(), members.stripTrailing().replaceFirst(",$", ""), constants);
  }

  private static String layout(Field it) {
    return switch (it.type) {
      case "float" -> "JAVA_FLOAT";
      case "int64_t" -> "JAVA_LONG";
      default -> "JAVA_INT";
    };
  }

  private static String accessor(Field it) {
    return switch (it.type) {
      case "float" -> "Float32";
      case "int64_t" -> "Int64";
      default -> "Int32";
    };
  }

  static String operationClass(Operation op) {
    return """
        package dev.fovea.ffi;

        import dev.fovea.ffi.Operand.Dim;
        import dev.fovea.ffi.Operand.Size;
        import dev.fovea.ffi.Operand.Type;
        import java.lang.foreign.MemorySegment;
        import java.lang.invoke.MethodHandle;
        import java.util.List;

        /** {@code fovea_run_%1$s} and its backward pass. Made by ops/Generate.java. */
        public final class Native%2$s extends NativeOperation {
        %3$s
          private static final MethodHandle FORWARD = Handles.run(%4$d);
          private static final MethodHandle BACKWARD = Handles.run(%5$d);

          public static final Native%2$s OPERATION = new Native%2$s();

          private Native%2$s() {
            super(
                "%1$s",
                %6$d,
                Fovea%2$sSpec.LAYOUT,
                List.of(
        %7$s),
                List.of(
        %8$s));
          }
        %9$s%10$s}
        """
        .formatted(
            op.name,
            op.type(),
            each(op.sizes.stream().filter(it -> it.of == null), it -> javaSize(op, it)),
            op.forward().size(),
            op.backward().size(),
            op.id,
            javaRows(op, op.forward(), op.in.size()),
            javaRows(op, op.backward(), written(op)),
            javaRun("forward", op.forward().size()),
            javaRun("backward", op.backward().size()));
  }

  private static String javaSize(Operation op, Size it) {
    String total = op.sizes.stream().filter(size -> it.symbol.equals(size.of)).map(size -> javaField(op, size.name)).findFirst().orElse("null");
    return "private static final Size %s =\n      new Size(\"%s\", \"%s\", %s, %s);".formatted(constant(it.name), it.name, it.symbol, javaField(op, it.name), total);
  }

  private static String javaRows(Operation op, List<Operand> operands, int written) {
    return IntStream.range(0, operands.size())
        .mapToObj(i -> "            " + javaRow(op, operands.get(i), i >= written))
        .collect(Collectors.joining(",\n"));
  }

  private static String javaRow(Operation op, Operand it, boolean written) {
    boolean offsets = it.role.startsWith("offsets");
    String type =
        offsets ? "OFFSETS" : Map.of("T", "SPEC", "O", "OUT", "G", "GRADIENT", "any", "OWN", "f32", "FLOAT32", "i32", "INT32").get(it.type);
    String counts = it.role.contains(" of ") ? constant(op.sizes.get(index(op, it.role.replaceFirst(".* ", ""))).name) : "null";
    String present = present(it);
    String dims =
        it.dims.stream()
            .map(dim -> dim.equals("1") ? "Dim.ONE" : constant(op.sizes.get(index(op, dim.replace("~", ""))).name) + (dim.endsWith("~") ? ".sums()" : ".dim()"))
            .collect(Collectors.joining(", "));
    return "new Operand(\"%s\", Type.%s, %s, %s, %s, %s, List.of(%s))"
        .formatted(
            it.name,
            type,
            written,
            counts,
            present == null ? "null" : javaField(op, present),
            it.strides() == 0 ? "null" : javaField(op, it.name + "_stride"),
            dims);
  }

  private static String javaRun(String pass, int operands) {
    String all = IntStream.range(0, operands).mapToObj(i -> "o[" + i + "]").collect(Collectors.joining(", "));
    return """

          @Override
          int %s(
              MemorySegment function,
              MemorySegment plan,
              MemorySegment call,
              MemorySegment[] o,
              MemorySegment workspace,
              MemorySegment scratch,
              MemorySegment stream)
              throws Throwable {
            return (int)
                %s.invokeExact(
        %s);
          }
        """
        .formatted(
            pass,
            pass.toUpperCase(java.util.Locale.ROOT),
            wrapped("            function, plan, call, " + all + ", workspace, scratch, stream", "            "));
  }

  private static String javaField(Operation op, String field) {
    return "Fovea%sSpec.%s".formatted(op.type(), constant(field));
  }

  private static String constant(String name) {
    return name.toUpperCase(java.util.Locale.ROOT);
  }

  // ---- Python

  static String module(List<Operation> all) {
    return """
        \"""Specs and operands of operations, by name. Made by ops/Generate.java.\"""

        import ctypes
        from ctypes import c_float, c_int32, c_int64, c_uint32


        """
        + all.stream().map(Generate::spec).collect(Collectors.joining("\n\n"));
  }

  private static String spec(Operation op) {
    String members =
        each(
            fields(op).stream(),
            it -> "      (\"%s\", %s),".formatted(it.name, "c_" + it.type.replace("_t", "") + (it.count == 0 ? "" : " * " + it.count)));
    return """
        class %1$sSpec(ctypes.Structure):
            _name_ = "fovea_%2$s_spec"
            _fields_ = [
        %3$s    ]
            forward = (
        %4$s    )
            backward = (
        %5$s    )
        """
        .formatted(op.type(), op.name, members, names(op.forward()), names(op.backward()));
  }

  private static String names(List<Operand> operands) {
    return each(operands.stream(), it -> "      \"%s\",".formatted(it.name));
  }

  // ---- reading declarations

  private static final Pattern LINE = Pattern.compile("(\\S+)\\s+(.*?)\\s*(?:#\\s*(.*))?");

  static Operation parse(Path file) throws IOException {
    List<String> text = new ArrayList<>();
    List<Size> sizes = new ArrayList<>();
    List<Option> options = new ArrayList<>();
    List<Operand> in = new ArrayList<>();
    List<Operand> out = new ArrayList<>();
    String name = null;
    int id = 0;
    for (String line : Files.readAllLines(file)) {
      if (line.isBlank()) {
        continue;
      }
      if (line.startsWith("#")) {
        text.add(line.substring(1).strip());
        continue;
      }
      Matcher parts = LINE.matcher(line);
      if (!parts.matches()) {
        throw new IllegalArgumentException(file + ": " + line);
      }
      String comment = parts.group(3) == null ? "" : parts.group(3);
      String[] words = parts.group(2).split("\\s+");
      switch (parts.group(1)) {
        case "operation" -> {
          name = words[0];
          id = Integer.parseInt(words[1]);
        }
        case "size" -> {
          String[] range = words.length > 2 ? words[2].split("\\.\\.", -1) : new String[] {"0", ""};
          String high = range[1].isEmpty() ? "kMaxLength" : range[1];
          sizes.add(new Size(words[0], words[1], range[0], high, null, comment));
        }
        case "total" -> sizes.add(new Size(words[0], words[1], "0", "kMaxLength", words[3], comment));
        case "option" -> options.add(new Option(words[0], words[1], comment));
        case "in" -> in.add(operand(parts.group(2), comment));
        case "out" -> out.add(operand(parts.group(2), comment));
        default -> throw new IllegalArgumentException(file + ": " + line);
      }
    }
    return new Operation(name, id, text, sizes, options, in, out);
  }

  private static final Pattern OPERAND =
      Pattern.compile("(\\w+)(\\??)\\s+(T|O|any|f32|i32)\\s+(?:\\[(.*)\\])?\\s*(.*)");

  private static Operand operand(String text, String comment) {
    Matcher it = OPERAND.matcher(text);
    if (!it.matches()) {
      throw new IllegalArgumentException("no operand: " + text);
    }
    List<String> dims =
        it.group(4) == null ? List.of("B") : Arrays.asList(it.group(4).split(",\\s*"));
    return new Operand(it.group(1), !it.group(2).isEmpty(), it.group(3), dims, it.group(5), comment);
  }

  // ---- writing

  private static final int WIDTH = 100;

  private static String camel(String name) {
    return Pattern.compile("_(.)").matcher(name).replaceAll(it -> it.group(1).toUpperCase(java.util.Locale.ROOT));
  }

  /** Broken at blanks after commas and opening brackets into lines that fit. */
  private static String wrapped(String text, String indent) {
    StringBuilder lines = new StringBuilder();
    String line = "";
    for (String word : text.split("(?<=,) ")) {
      if (!line.isEmpty() && line.length() + 1 + word.length() > WIDTH) {
        lines.append(line).append('\n');
        line = indent + word;
      } else {
        line = line.isEmpty() ? word : line + " " + word;
      }
    }
    return lines + line;
  }

  /** What stands between the lines "generated from FILE: WHAT" and "end". */
  private static String region(String text, String mark, String made) {
    Matcher it =
        Pattern.compile("(?s)(/\\* generated from " + mark + " \\*/\n).*?(/\\* end \\*/\n)").matcher(text);
    if (!it.find()) {
      throw new IllegalArgumentException("nothing is generated from " + mark);
    }
    return text.substring(0, it.end(1)) + made + text.substring(it.start(2));
  }

  public static void main(String[] arguments) throws IOException {
    boolean check = arguments.length == 1 && arguments[0].equals("--check");
    boolean differs = false;
    for (Map.Entry<Path, String> it : made().entrySet()) {
      Path file = it.getKey();
      if (Files.exists(file) && Files.readString(file).equals(it.getValue())) {
        continue;
      }
      differs = true;
      System.out.println(file + (check ? " is not what is declared: java ops/Generate.java" : ""));
      if (!check) {
        Files.createDirectories(file.getParent());
        Files.writeString(file, it.getValue());
      }
    }
    System.exit(check && differs ? 1 : 0);
  }

  static Map<Path, String> made() throws IOException {
    List<Operation> all = new ArrayList<>();
    try (Stream<Path> files = Files.list(Path.of("ops"))) {
      for (Path file : files.filter(it -> it.toString().endsWith(".op")).sorted().toList()) {
        all.add(parse(file));
      }
    }
    Path header = Path.of("native/include/fovea.h");
    Path bindings = Path.of("bindings/src/main/java/dev/fovea/ffi");
    Map<Path, String> made = new LinkedHashMap<>();
    String text = Files.readString(header);
    for (Operation op : all) {
      Path folder = Path.of("native/ops", op.name);
      String declared = "ops/" + op.name + ".op: ";
      text = region(text, declared + "spec", struct(op));
      text = region(text, declared + "functions", prototypes(op));
      made.put(folder.resolve("operation.h"), table(op));
      made.put(folder.resolve("entry.cpp"), entry(op));
      made.put(bindings.resolve("Fovea" + op.type() + "Spec.java"), specClass(op));
      made.put(bindings.resolve("Native" + op.type() + ".java"), operationClass(op));
    }
    made.put(header, text);
    made.put(Path.of("native/ops/operations.h"), operations(all));
    made.put(Path.of("bench/gpu/operations.py"), module(all));
    return made;
  }

  private static String operations(List<Operation> all) {
    return """
        // All operations. Made by ops/Generate.java.
        #pragma once

        %s
        #define FOVEA_OPERATIONS(X) %s

        namespace fovea {

        #define FOVEA_ADDRESS(name) &name::kOperation,
        constexpr const Operation* kOperations[] = {FOVEA_OPERATIONS(FOVEA_ADDRESS)};
        #undef FOVEA_ADDRESS

        // Null if there is none of that id.
        inline const Operation* find_operation(int32_t id) {
          for (const Operation* operation : kOperations) {
            if (operation->id == id) return operation;
          }
          return nullptr;
        }

        }  // namespace fovea
        """
        .formatted(
            all.stream().map(op -> "#include \"ops/%s/operation.h\"\n".formatted(op.name)).collect(Collectors.joining()),
            all.stream().map(op -> "X(%s)".formatted(op.name)).collect(Collectors.joining(" ")));
  }
}

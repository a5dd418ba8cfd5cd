import static java.util.stream.Collectors.joining;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Writes what follows from the declarations ops/*.op by the texts in ops/templates: blocks and
 * prototypes of fovea.h, tables of operands, entry points, and their likes in Java and Python. The
 * notation: ops/README.md.
 *
 * <p>usage: ops/generate [--check]
 */
class Generate {
  // ---- what a declaration says

  /** An int64 of the spec: rows of a dimension, or, {@code of} one, of all packed sequences. */
  record Size(String name, String symbol, List<String> range, String of, String comment) {}

  record Option(String name, String kind, List<String> range, String comment) {}

  /** {@code dims} are symbols of sizes or "1"; those with ~ may be of one element. */
  record Operand(String name, boolean optional, String type, List<String> dims, String role, boolean paged) {
    boolean isOffsets() {
      return role.startsWith("offsets");
    }

    /** All but the last dimension, whose elements lie side by side, have a stride. */
    int strides() {
      return role.contains(" of ") ? 0 : dims.size() - 1;
    }

    /** The size whose rows lengths and offsets count; "1" for a tensor. */
    String counted() {
      return role.contains(" of ") ? role.replaceFirst(".* of ", "") : "1";
    }

    /** The field that is not 0 where it is there; empty if it always is. */
    String present() {
      return isOffsets() ? "packed" : !optional ? "" : type.equals("any") ? name + "_dtype" : "has_" + name;
    }

    boolean hasGradient() {
      return role.startsWith("gradient");
    }

    /** The same, read and written: what it holds before a run matters. */
    Operand inPlace() {
      return new Operand(name, optional, type, dims, "inout", paged);
    }

    /** Of the type that is asked for, or float32; of what is always there in that type always wanted, unless with `?`. */
    Operand gradient() {
      boolean typed = (type.equals("T") || type.equals("Q") || type.equals("C")) && !role.endsWith(" f32");
      return new Operand("d" + name, optional || !typed || role.startsWith("gradient?"), typed ? "G" : "f32", dims, "", false);
    }
  }

  /** Where rows of a size lie in pages: how many of how many rows, where the operand that lists them is there. */
  record Pages(String of, String count, String rows, String list) {}

  record Operation(
      String name, String id, List<Size> sizes, Optional<Pages> pages, List<Option> options, List<Operand> in, List<Operand> out) {
    /** Of a pass: what it reads, then what it writes. */
    List<Operand> read(boolean forward) {
      if (forward) {
        return in;
      }
      Operand first = out.getFirst();
      Operand dout = new Operand("d" + first.name, false, first.type, first.dims, "", false);
      Stream<Operand> saved = out.stream().filter(it -> it.role.equals("saved"));
      return Stream.of(in.stream(), Stream.of(dout), saved).flatMap(it -> it).toList();
    }

    List<Operand> written(boolean forward) {
      return forward ? out : in.stream().filter(Operand::hasGradient).map(Operand::gradient).toList();
    }

    Stream<Option> options(String kind) {
      return options.stream().filter(it -> it.kind.startsWith(kind));
    }

    /** None of a backward pass that there is not. */
    List<Operand> all(boolean forward) {
      return forward || hasBackward() ? Stream.concat(read(forward).stream(), written(forward).stream()).toList() : List.of();
    }

    boolean hasBackward() {
      return in.stream().anyMatch(Operand::hasGradient);
    }

    /** The flag that is not 0 where rows lie in pages; empty for an operation that has none. */
    String paged() {
      return pages.map(it -> "has_" + it.list).orElse("");
    }

    /** Where keys lie in pages, sequences of them are no longer packed, and have no offsets. */
    String absent(Operand it) {
      boolean inPages = pages.isPresent() && index(it.counted()) == indexOf(pages.get().of);
      return it.isOffsets() && inPages ? paged() : "";
    }

    int indexOf(String size) {
      return sizes.stream().map(Size::name).toList().indexOf(size);
    }

    int index(String symbol) {
      int index = sizes.stream().map(Size::symbol).toList().indexOf(symbol.replace("~", ""));
      if (index < 0 && !symbol.equals("1")) {
        throw new IllegalArgumentException(name + " has no size " + symbol);
      }
      return index;
    }
  }

  // ---- the block of an operation's numbers

  /** One of it; {@code kind} says which check it takes part in, {@code most} what a flag may be. */
  record Field(String kind, String type, String name, int count, String most, String comment) {
    /** One word: by the type of most. */
    Field(String kind, String name, String comment) {
      this(kind, "int32_t", name, 0, "1", comment);
    }
  }

  /** In the order of the ABI: words, then int64. */
  static List<Field> fields(Operation op) {
    List<Field> all = new ArrayList<>();
    all.add(new Field("other", "uint32_t", "size", 0, "1", ""));
    all.add(new Field("flag", "pass", op.hasBackward() ? "FOVEA_FORWARD or FOVEA_BACKWARD" : "FOVEA_FORWARD"));
    boolean narrow = op.in.stream().anyMatch(it -> it.type.equals("Q"));
    all.add(new Field(narrow ? "queryType" : "type", "dtype", "FOVEA_FLOAT32, _FLOAT16" + (narrow ? ", _BFLOAT16 or _FLOAT8_E4M3" : " or _BFLOAT16")));
    all.add(new Field("type", "out_dtype", "0 = dtype"));
    all.add(new Field("type", "gradient_dtype", op.hasBackward() ? "backward, of gradients; 0 = dtype" : "not read"));
    op.all(true).stream()
        .filter(it -> it.type.equals("any"))
        .forEach(it -> all.add(new Field("type", it.present(), "0 = no " + it.name)));
    if (op.all(true).stream().anyMatch(it -> it.type.equals("C"))) {
      all.add(new Field("cacheType", "cache_dtype", "of a cache, also FOVEA_INT8, _INT4X2 or _FLOAT8_E4M3; 0 = dtype"));
    }
    if (op.sizes.stream().anyMatch(it -> it.of != null)) {
      all.add(new Field("flag", "packed", "1 = ragged: cu_seqlens_* are given, batch strides are unused"));
    }
    for (Option it : op.options) {
      if (it.kind.equals("flag") || it.kind.equals("choice")) {
        all.add(new Field("flag", "int32_t", it.name, 0, it.range.getLast(), it.comment));
      } else if (!it.kind.equals("number")) {
        all.add(new Field("flag", "has_" + it.name, "0 = none: " + it.name + " is not read"));
      }
    }
    op.all(true).stream()
        .filter(it -> it.present().startsWith("has_"))
        .forEach(it -> all.add(new Field("flag", it.present(), "1 = " + it.name + " is given")));
    if (op.hasBackward()) {
      all.add(new Field("flag", "deterministic", "backward: 1 = the same bits on every run; the CPU always gives them"));
      all.add(new Field("flag", "accumulate", "backward: 1 = gradients of what calls share are added to what is there"));
    }
    op.written(false).stream()
        .filter(Operand::optional)
        .forEach(it -> all.add(new Field("flag", it.present(), "backward: 1 = " + it.name + " is written")));
    op.options("number").forEach(it -> all.add(new Field("other", "float", it.name, 0, "1", it.comment)));
    if (all.size() % 2 == 1) {
      all.add(new Field("other", "reserved0", "zero"));
    }
    op.options("bound").forEach(it -> all.add(new Field("bound", "int64_t", it.name, 0, "1", ">= 0; " + it.comment)));
    for (Size it : op.sizes) {
      all.add(new Field("other", "int64_t", it.name, 0, "1", it.symbol + (it.comment.isEmpty() ? "" : ": " + it.comment)));
    }
    Stream.concat(op.all(true).stream(), op.all(false).stream())
        .filter(it -> it.strides() > 0)
        .map(it -> new Field("other", "int64_t", it.name + "_stride", it.strides(), "1",
            "of [" + String.join(", ", it.dims.subList(0, it.strides())) + "]"))
        .distinct()
        .forEach(all::add);
    return all;
  }

  // ---- what templates see

  static Map<String, Object> values(Operation op) {
    List<Field> fields = fields(op);
    Map<String, Object> all = new HashMap<>(Map.of(
        "name", op.name, "Name", camel(op.name), "id", op.id,
        "packed", fields.stream().anyMatch(it -> it.name.equals("packed")) ? "packed" : "",
        "fields", listed(fields.stream().map(Generate::values)),
        "hasNumbers", op.options("number").findAny().map(Option::name).orElse(""),
        "numbers", listed(op.options("number").map(it -> Map.of(
            "name", it.name, "low", it.range.getFirst(), "high", it.range.getLast(), "present", it.kind.endsWith("?") ? "has_" + it.name : ""))),
        "sizes", listed(op.sizes.stream().filter(it -> it.of == null).map(it -> values(op, it))),
        "in", values(op, op.in, 0, op.in.size()),
        "passes", listed(Stream.of(true, false).filter(it -> it || op.hasBackward())
            .map(it -> values(op, it ? "forward" : "backward", op.all(it), op.read(it))))));
    all.put("pages", listed(op.pages.stream().map(it -> Map.of(
        "list", op.paged(), "LIST", upper(op.paged()),
        "count", "" + op.indexOf(it.count), "COUNT", upper(it.count),
        "rows", "" + op.indexOf(it.rows), "ROWS", upper(it.rows),
        "of", "" + op.indexOf(it.of), "OF", upper(it.of)))));
    return all;
  }

  private static Map<String, Object> values(Operation op, String pass, List<Operand> all, List<Operand> read) {
    return Map.of(
        "pass", pass, "Pass", camel(pass), "PASS", upper(pass),
        "suffix", pass.equals("forward") ? "" : "_backward", "count", "" + all.size(),
        "operands", values(op, all, 0, read.size()),
        "own", values(op, all, op.in.size(), read.size()));
  }

  /** Of a C type: how Java calls its layout and its accessor. */
  private static final Map<String, String> LAYOUTS = Map.of("float", "FLOAT", "int64_t", "LONG");
  private static final Map<String, String> ACCESSORS = Map.of("float", "Float32", "int64_t", "Int64");

  private static Map<String, Object> values(Field it) {
    return Map.of(
        "name", it.name, "NAME", upper(it.name),
        "kind", camel(it.kind),
        "most", it.most,
        "type", it.type, "ctype", "c_" + it.type.replace("_t", ""),
        "layout", LAYOUTS.getOrDefault(it.type, "INT"),
        "accessor", ACCESSORS.getOrDefault(it.type, "Int32") + (it.count > 0 ? "Array" : ""),
        "count", it.count > 0 ? "" + it.count : "",
        "comment", it.comment);
  }

  private static Map<String, Object> values(Operation op, Size size) {
    Optional<Size> whole = op.sizes.stream().filter(it -> size.symbol.equals(it.of)).findFirst();
    String total = whole.map(Size::name).orElse("");
    return Map.of(
        "name", size.name, "NAME", upper(size.name),
        "symbol", size.symbol,
        "low", size.range.getFirst(), "high", size.range.getLast(),
        "total", total,
        "totalSymbol", whole.map(Size::symbol).orElse(""),
        "TOTAL", upper(total));
  }

  private static final Map<String, String> TYPES =
      Map.of("T", "Spec", "Q", "Query", "C", "Cache", "O", "Out", "G", "Gradient", "any", "Own", "f32", "Float32", "i32", "Int32", "bool", "Bool");
  private static final Map<String, String> POINTERS = Map.of("f32", "float*", "i32", "int32_t*", "bool", "uint8_t*");

  /** Operands from {@code first} on; those from {@code written} on are written. */
  private static List<Map<String, Object>> values(Operation op, List<Operand> all, int first, int written) {
    return listed(IntStream.range(first, all.size()).mapToObj(i -> values(op, all.get(i), i, i >= written)));
  }

  private static Map<String, Object> values(Operation op, Operand it, int index, boolean written) {
    String type = it.isOffsets() ? "Offsets" : TYPES.get(it.type);
    String typed = it.type.equals("C") ? "cache_dtype" : it.type.equals("any") ? it.present() : "";
    return Map.ofEntries(
        Map.entry("name", it.name),
        Map.entry("index", "" + index),
        Map.entry("pointer", (written ? "" : "const ") + POINTERS.getOrDefault(it.type, "void*")),
        Map.entry("type", type),
        Map.entry("TYPE", upper(type)),
        Map.entry("written", "" + written),
        Map.entry("places", it.role.equals("inout") || it.paged ? ", " + it.role.equals("inout") + ", " + it.paged : ""),
        Map.entry("counts", "" + op.index(it.counted())),
        Map.entry("COUNTS", constant(op, it.counted())),
        Map.entry("typed", typed),
        Map.entry("paged", "" + it.paged),
        Map.entry("absent", op.absent(it)),
        Map.entry("present", it.present()),
        Map.entry("PRESENT", upper(it.present())),
        Map.entry("strides", it.strides() > 0 ? it.name + "_stride" : ""),
        Map.entry("STRIDES", it.strides() > 0 ? upper(it.name) + "_STRIDE" : ""),
        Map.entry("rank", "" + it.dims.size()),
        Map.entry("dims", listed(it.dims.stream().map(dim -> Map.of(
            "size", "" + op.index(dim), "SIZE", constant(op, dim), "sums", "" + dim.endsWith("~"))))));
  }

  private static String constant(Operation op, String symbol) {
    return symbol.equals("1") ? "" : upper(op.sizes.get(op.index(symbol)).name);
  }

  /** With {@code comma} in all but the last. */
  private static List<Map<String, Object>> listed(Stream<? extends Map<String, ?>> items) {
    List<Map<String, Object>> all = new ArrayList<>();
    items.forEach(it -> all.add(new HashMap<>(it)));
    all.forEach(it -> it.put("comma", it == all.getLast() ? "" : ", "));
    return all;
  }

  private static String upper(String name) {
    return name.toUpperCase(Locale.ROOT);
  }

  private static String camel(String name) {
    return Pattern.compile("(?:^|_)(.)").matcher(name).replaceAll(it -> upper(it.group(1)));
  }

  // ---- templates

  private static final Pattern SECTION = Pattern.compile("(?s)\\{\\{([#^])(\\w+)}}(.*?)\\{\\{/\\2}}");
  private static final Pattern VALUE = Pattern.compile("\\{\\{(\\w+)}}");
  private static final int WIDTH = 100;

  /** {{x}}: a value. {{#x}}...{{/x}}: for each of a list, or where it is not empty. {{^x}}: else. */
  static String fill(String template, Map<String, Object> values) {
    String text = SECTION.matcher(template).replaceAll(it -> Matcher.quoteReplacement(
        items(values.get(it.group(2)), it.group(1).equals("^")).stream()
            .map(item -> {
              Map<String, Object> both = new HashMap<>(values);
              both.putAll(item);
              return fill(it.group(3), both);
            })
            .collect(joining())));
    return VALUE.matcher(text).replaceAll(it -> Matcher.quoteReplacement(values.get(it.group(1)).toString()));
  }

  @SuppressWarnings("unchecked") // lists are of such maps
  private static List<Map<String, Object>> items(Object value, boolean inverted) {
    boolean empty = value == null || value.equals("") || value.equals(List.of());
    return empty != inverted ? List.of() : value instanceof List && !empty ? (List<Map<String, Object>>) value : List.of(Map.of());
  }

  static String made(String template, Map<String, Object> values) throws IOException {
    // A tag that has a line for itself leaves none.
    String text = Files.readString(Path.of("ops/templates", template)).replaceAll("(?m)^ *(\\{\\{[#^/]\\w+}})\n", "$1");
    return fill(text, values).lines().map(Generate::wrapped).collect(joining("\n", "", "\n"));
  }

  /** A line that is too long is broken behind commas. */
  private static String wrapped(String line) {
    int indent = line.length() - line.stripLeading().length();
    String rest = line.stripTrailing();
    String lines = "";
    while (rest.length() > WIDTH && rest.lastIndexOf(", ", WIDTH - 1) > indent) {
      int comma = rest.lastIndexOf(", ", WIDTH - 1) + 1;
      lines += rest.substring(0, comma) + "\n";
      rest = " ".repeat(indent + 4) + rest.substring(comma + 1);
    }
    return lines + rest;
  }

  // ---- reading declarations

  private static final Pattern LINE = Pattern.compile("(\\w+)\\s+(.*?)\\s*(?:#\\s*(.*))?");
  private static final Pattern OPERAND =
      Pattern.compile("(\\w+)(\\??)\\s+(T|Q|C|O|any|f32|i32|bool)\\s+(?:\\[(.*)\\])?\\s*(gradient\\??(?: f32)?|saved|(?:offsets|lengths) of \\w+|)\\s*(paged)?");

  static Operation parse(Path file) {
    List<Operand> in = new ArrayList<>();
    List<Operand> out = new ArrayList<>();
    List<Size> sizes = new ArrayList<>();
    List<Option> options = new ArrayList<>();
    Optional<Pages> pages = Optional.empty();
    String[] named = {"", ""};
    try {
      for (String line : Files.readAllLines(file)) {
        if (line.isBlank() || line.startsWith("#")) {
          continue;
        }
        Matcher it = match(LINE, line);
        String comment = it.group(3) == null ? "" : it.group(3);
        String[] words = it.group(2).split("\\s+");
        switch (it.group(1)) {
          case "operation" -> named = words;
          case "size" -> sizes.add(new Size(words[0], words[1], range(words, "0", "kMaxLength"), null, comment));
          case "total" -> sizes.add(new Size(words[0], words[1], List.of("0", "kMaxLength"), words[3], comment));
          case "pages" -> pages = Optional.of(new Pages(words[2], words[0], words[4], words[6]));
          case "option" -> options.add(new Option(words[0], words[1], words[1].equals("flag") ? List.of("0", "1") : range(words, "-FLT_MAX", "FLT_MAX"), comment));
          case "in" -> in.add(operand(it.group(2)));
          case "out" -> out.add(operand(it.group(2)));
          case "inout" -> out.add(operand(it.group(2)).inPlace());
          default -> throw new IllegalArgumentException(line);
        }
      }
    } catch (IllegalArgumentException | IOException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
    return new Operation(named[0], named[1], sizes, pages, options, in, out);
  }

  private static List<String> range(String[] words, String low, String high) {
    String[] it = words.length > 2 ? words[2].split("\\.\\.", -1) : new String[] {low, high};
    return List.of(it[0], it[1].isEmpty() ? high : it[1]);
  }

  private static Operand operand(String text) {
    Matcher it = match(OPERAND, text);
    List<String> dims = it.group(4) == null ? List.of("B") : List.of(it.group(4).split(",\\s*"));
    return new Operand(it.group(1), !it.group(2).isEmpty(), it.group(3), dims, it.group(5), it.group(6) != null);
  }

  private static Matcher match(Pattern pattern, String text) {
    Matcher it = pattern.matcher(text);
    if (!it.matches()) {
      throw new IllegalArgumentException("not understood: " + text);
    }
    return it;
  }

  // ---- writing

  static Map<Path, String> made() throws IOException {
    List<Map<String, Object>> all;
    try (Stream<Path> files = Files.list(Path.of("ops"))) {
      all = files.filter(it -> it.toString().endsWith(".op")).sorted().map(it -> values(parse(it))).toList();
    }
    Path bindings = Path.of("bindings/src/main/java/dev/fovea/ffi");
    Path header = Path.of("native/include/fovea.h");
    String text = Files.readString(header);
    Map<Path, String> made = new LinkedHashMap<>();
    for (Map<String, Object> op : all) {
      for (String file : List.of("operands.h", "operation.h", "entry.cpp")) {
        made.put(Path.of("native/ops", op.get("name").toString(), file), made(file, op));
      }
      made.put(bindings.resolve("Fovea" + op.get("Name") + "Spec.java"), made("Spec.java", op));
      made.put(bindings.resolve("Native" + op.get("Name") + ".java"), made("Native.java", op));
      text = region(text, op.get("name") + ".op: spec", made("spec.h", op));
      text = region(text, op.get("name") + ".op: functions", made("functions.h", op));
    }
    made.put(header, text);
    Map<String, Object> house = Map.of("operations", listed(all.stream()));
    made.put(Path.of("native/ops/operations.h"), made("operations.h", house));
    made.put(bindings.resolve("NativeOperations.java"), made("NativeOperations.java", house));
    made.put(Path.of("bench/gpu/operations.py"), made("operations.py", house));
    return made;
  }

  /** What stands between the lines "generated from ops/..." and "end". */
  private static String region(String text, String mark, String made) {
    Matcher it = Pattern.compile("(?s)(/\\* generated from ops/" + mark + " \\*/\n).*?(/\\* end \\*/\n)").matcher(text);
    if (!it.find()) {
      throw new IllegalArgumentException("fovea.h has no part that is generated from ops/" + mark);
    }
    return text.substring(0, it.end(1)) + made + text.substring(it.start(2));
  }

  public static void main(String[] arguments) throws IOException {
    boolean check = List.of(arguments).contains("--check");
    int status = 0;
    for (Map.Entry<Path, String> it : made().entrySet()) {
      Path file = it.getKey();
      boolean same = Files.exists(file) && Files.readString(file).equals(it.getValue());
      if (!same && check) {
        System.out.println(file + " is not what ops declares: run ops/generate");
        status = 1;
      } else if (!same) {
        Files.createDirectories(file.getParent());
        Files.writeString(file, it.getValue());
      }
    }
    System.exit(status);
  }
}

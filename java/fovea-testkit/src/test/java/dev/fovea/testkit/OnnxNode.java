package dev.fovea.testkit;

import dev.fovea.DType;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;

/**
 * A node test of ONNX: a model of one node, its inputs and its outputs, as protocol buffers. The
 * folder that holds such tests is {@code -Dfovea.test.onnx} or FOVEA_TEST_ONNX, that of {@code
 * onnx/backend/test/data/node} in a checkout of ONNX.
 */
public final class OnnxNode {

  /** A tensor, its elements as float; those of int64 are taken for int32. */
  public record Array(DType type, long[] shape, float[] values) {}

  /** Field numbers of onnx.proto. */
  private static final int GRAPH = 7;

  private static final int NODE = 1;

  private static final int NODE_INPUT = 1;
  private static final int NODE_OUTPUT = 2;
  private static final int NODE_ATTRIBUTE = 5;
  private static final int ATTRIBUTE_NAME = 1;
  private static final int ATTRIBUTE_FLOAT = 2;
  private static final int ATTRIBUTE_INT = 3;
  private static final int ATTRIBUTE_STRING = 4;
  private static final int TENSOR_DIMS = 1;
  private static final int TENSOR_TYPE = 2;
  private static final int TENSOR_RAW = 9;
  private static final int ONNX_FLOAT = 1;
  private static final int ONNX_INT64 = 7;
  private static final int ONNX_FLOAT16 = 10;

  private final String name;
  private final Map<String, Array> inputs = new HashMap<>();
  private final Map<String, Array> outputs = new HashMap<>();
  private final Map<String, Object> attributes = new HashMap<>();

  private OnnxNode(String name) {
    this.name = name;
  }

  /** The folders of all tests of an operator; aborts the test with the reason if there are none. */
  public static List<Path> folders(String operator) throws IOException {
    String root = System.getProperty("fovea.test.onnx", System.getenv("FOVEA_TEST_ONNX"));
    Assumptions.assumeTrue(
        root != null, "ONNX node tests are skipped: neither fovea.test.onnx nor FOVEA_TEST_ONNX");
    try (Stream<Path> all = Files.list(Path.of(root))) {
      List<Path> folders =
          all.filter(it -> it.getFileName().toString().startsWith("test_" + operator)).toList();
      Assumptions.assumeFalse(folders.isEmpty(), root + " has no test of " + operator);
      return folders;
    }
  }

  /** Reads the test in a folder. */
  public static OnnxNode read(Path folder) throws IOException {
    OnnxNode node = new OnnxNode(folder.getFileName().toString());
    List<String> inputs = new ArrayList<>();
    List<String> outputs = new ArrayList<>();
    fields(
        Files.readAllBytes(folder.resolve("model.onnx")),
        (field, model) -> {
          if (field == GRAPH) {
            fields(
                (byte[]) model,
                (of, part) -> {
                  if (of == NODE) {
                    node.readNode((byte[]) part, inputs, outputs);
                  }
                });
          }
        });
    Path data = folder.resolve("test_data_set_0");
    readAll(data, "input_", inputs, node.inputs);
    readAll(data, "output_", outputs, node.outputs);
    return node;
  }

  /** Files are numbered among those that are there. */
  private static void readAll(
      Path data, String prefix, List<String> names, Map<String, Array> arrays) throws IOException {
    int number = 0;
    for (String name : names) {
      if (!name.isEmpty()) {
        arrays.put(name, array(Files.readAllBytes(data.resolve(prefix + number++ + ".pb"))));
      }
    }
  }

  private void readNode(byte[] node, List<String> inputs, List<String> outputs) {
    fields(
        node,
        (field, value) -> {
          switch (field) {
            case NODE_INPUT -> inputs.add(string(value));
            case NODE_OUTPUT -> outputs.add(string(value));
            case NODE_ATTRIBUTE -> readAttribute((byte[]) value);
            default -> {}
          }
        });
  }

  private void readAttribute(byte[] attribute) {
    String[] key = new String[1];
    Object[] held = new Object[1];
    fields(
        attribute,
        (field, value) -> {
          switch (field) {
            case ATTRIBUTE_NAME -> key[0] = string(value);
            case ATTRIBUTE_FLOAT, ATTRIBUTE_INT -> held[0] = value;
            case ATTRIBUTE_STRING -> held[0] = string(value);
            default -> {}
          }
        });
    attributes.put(key[0], held[0]);
  }

  private static Array array(byte[] tensor) {
    List<Long> dims = new ArrayList<>();
    Object[] parts = new Object[2];
    fields(
        tensor,
        (field, value) -> {
          switch (field) {
            case TENSOR_DIMS -> {
              if (value instanceof Long one) {
                dims.add(one);
              } else {
                ByteBuffer packed = ByteBuffer.wrap((byte[]) value);
                while (packed.hasRemaining()) {
                  dims.add(varint(packed));
                }
              }
            }
            case TENSOR_TYPE -> parts[0] = value;
            case TENSOR_RAW -> parts[1] = value;
            default -> {}
          }
        });
    ByteBuffer raw = ByteBuffer.wrap((byte[]) parts[1]).order(ByteOrder.LITTLE_ENDIAN);
    long[] shape = dims.stream().mapToLong(Long::longValue).toArray();
    int type = Math.toIntExact((Long) parts[0]);
    return switch (type) {
      case ONNX_FLOAT ->
          new Array(DType.FLOAT32, shape, values(raw, Float.BYTES, ByteBuffer::getFloat));
      case ONNX_FLOAT16 ->
          new Array(
              DType.FLOAT16,
              shape,
              values(raw, Short.BYTES, it -> Float.float16ToFloat(it.getShort())));
      case ONNX_INT64 ->
          new Array(DType.INT32, shape, values(raw, Long.BYTES, it -> (float) it.getLong()));
      default ->
          throw new IllegalArgumentException(
              "element type " + type + " is neither float nor float16 nor int64");
    };
  }

  private static float[] values(ByteBuffer raw, int bytes, Function<ByteBuffer, Float> next) {
    float[] values = new float[raw.remaining() / bytes];
    for (int i = 0; i < values.length; i++) {
      values[i] = next.apply(raw);
    }
    return values;
  }

  private static String string(Object value) {
    return new String((byte[]) value, StandardCharsets.UTF_8);
  }

  /** Fields of a message: a Long, a Float or a byte[] each. */
  private static void fields(byte[] message, BiConsumer<Integer, Object> body) {
    ByteBuffer in = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    while (in.hasRemaining()) {
      int key = (int) varint(in);
      Object value =
          switch (key & 7) {
            case 0 -> varint(in);
            case 1 -> in.getLong();
            case 2 -> {
              byte[] bytes = new byte[(int) varint(in)];
              in.get(bytes);
              yield bytes;
            }
            case 5 -> in.getFloat();
            default -> throw new IllegalArgumentException("no wire type is " + (key & 7));
          };
      body.accept(key >>> 3, value);
    }
  }

  private static long varint(ByteBuffer in) {
    long value = 0;
    for (int shift = 0; ; shift += 7) {
      byte next = in.get();
      value |= (next & 0x7FL) << shift;
      if (next >= 0) {
        return value;
      }
    }
  }

  /** The folder's. */
  public String name() {
    return name;
  }

  /** An input by the name that the model gives it; null if it is absent. */
  public Array input(String input) {
    return inputs.get(input);
  }

  /** An output by the name that the model gives it; null if it is absent. */
  public Array output(String output) {
    return outputs.get(output);
  }

  /** An attribute that is an integer. */
  public long integer(String attribute, long otherwise) {
    return (Long) attributes.getOrDefault(attribute, otherwise);
  }

  /** An attribute that is a number. */
  public float number(String attribute, float otherwise) {
    return (Float) attributes.getOrDefault(attribute, otherwise);
  }

  /** An attribute that is text. */
  public String text(String attribute, String otherwise) {
    return (String) attributes.getOrDefault(attribute, otherwise);
  }
}

package dev.fovea.encoder;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.WireFormat;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The weights of an ONNX file: its initializers, and the inputs of its nodes, which say what an
 * initializer is for.
 *
 * <p>Only the few fields that hold weights are read (onnx.proto3: ModelProto.graph, GraphProto.node
 * and .initializer); everything else is skipped. The tensors are views of the file's bytes: nothing
 * is copied.
 */
final class OnnxModel {

  /** {@code data} is in row-major order of {@code shape}. */
  private record Initializer(String name, long[] shape, FloatBuffer data) {}

  private record Node(String name, List<String> inputs) {}

  // Field numbers of onnx.proto3.
  private static final int MODEL_GRAPH = 7;
  private static final int GRAPH_NODE = 1;
  private static final int GRAPH_INITIALIZER = 5;
  private static final int NODE_INPUT = 1;
  private static final int NODE_NAME = 3;
  private static final int TENSOR_DIMS = 1;
  private static final int TENSOR_DATA_TYPE = 2;
  private static final int TENSOR_NAME = 8;
  private static final int TENSOR_RAW_DATA = 9;
  private static final int DATA_TYPE_FLOAT = 1;

  private final Map<String, Initializer> initializers = new HashMap<>();
  private final Map<String, List<String>> nodeInputs = new HashMap<>();

  private OnnxModel() {}

  /**
   * Reads the model in {@code file}, which must not change afterwards.
   *
   * @throws IOException if the bytes are not an ONNX model
   */
  static OnnxModel read(byte[] file) throws IOException {
    CodedInputStream in = CodedInputStream.newInstance(ByteBuffer.wrap(file));
    in.enableAliasing(true);
    OnnxModel model = new OnnxModel();
    message(
        in,
        (field, tag) -> {
          if (field != MODEL_GRAPH) {
            return false;
          }
          nested(in, model.graph(in));
          return true;
        });
    if (model.initializers.isEmpty()) {
      throw new IOException("no float32 initializers found: is this an ONNX model?");
    }
    return model;
  }

  /**
   * A copy of the initializer called {@code name}, of the given shape.
   *
   * @throws IOException if there is none or its shape differs
   */
  float[] named(String name, int... shape) throws IOException {
    Initializer found = initializers.get(name);
    if (found == null) {
      throw new IOException("the model has no float32 initializer '" + name + "'");
    }
    return values(found, shape);
  }

  /**
   * A copy of the initializer that node {@code node} reads, of the given shape. Exporters fold a
   * transposed weight under a name that is only a number; the node's name still says which layer it
   * belongs to.
   *
   * @throws IOException if there is no such node or none of its inputs is an initializer of that
   *     shape
   */
  float[] ofNode(String node, int... shape) throws IOException {
    List<String> inputs = nodeInputs.get(node);
    if (inputs == null) {
      throw new IOException("the model has no node '" + node + "'");
    }
    for (String input : inputs) {
      if (initializers.containsKey(input)) {
        return values(initializers.get(input), shape);
      }
    }
    throw new IOException("no input of node '" + node + "' is a float32 initializer");
  }

  private static float[] values(Initializer found, int[] shape) throws IOException {
    if (!Arrays.equals(found.shape, Arrays.stream(shape).asLongStream().toArray())) {
      throw new IOException(
          "initializer '%s' has shape %s, expected %s"
              .formatted(found.name, Arrays.toString(found.shape), Arrays.toString(shape)));
    }
    float[] values = new float[found.data.remaining()];
    found.data.duplicate().get(values);
    return values;
  }

  private Fields graph(CodedInputStream in) {
    return (field, tag) -> {
      switch (field) {
        case GRAPH_NODE -> {
          Node node = node(in);
          nodeInputs.put(node.name(), node.inputs());
          return true;
        }
        case GRAPH_INITIALIZER -> {
          Initializer tensor = tensor(in);
          if (tensor != null) {
            initializers.put(tensor.name(), tensor);
          }
          return true;
        }
        default -> {
          return false;
        }
      }
    };
  }

  private static Node node(CodedInputStream in) throws IOException {
    List<String> inputs = new ArrayList<>();
    String[] name = {""};
    nested(
        in,
        (field, tag) -> {
          switch (field) {
            case NODE_INPUT -> inputs.add(in.readString());
            case NODE_NAME -> name[0] = in.readString();
            default -> {
              return false;
            }
          }
          return true;
        });
    return new Node(name[0], inputs);
  }

  /** Reads a tensor; null if it is not float32 in raw form. */
  private static Initializer tensor(CodedInputStream in) throws IOException {
    List<Long> shape = new ArrayList<>();
    String[] name = {""};
    int[] type = {0};
    ByteBuffer[] raw = {null};
    nested(
        in,
        (field, tag) -> {
          switch (field) {
            case TENSOR_DIMS -> dimensions(in, tag, shape);
            case TENSOR_DATA_TYPE -> type[0] = in.readInt32();
            case TENSOR_NAME -> name[0] = in.readString();
            case TENSOR_RAW_DATA -> raw[0] = in.readByteBuffer();
            default -> {
              return false;
            }
          }
          return true;
        });
    if (type[0] != DATA_TYPE_FLOAT || raw[0] == null) {
      return null;
    }
    long[] sizes = shape.stream().mapToLong(Long::longValue).toArray();
    FloatBuffer data = raw[0].order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer();
    if (Arrays.stream(sizes).reduce(1, Math::multiplyExact) != data.remaining()) {
      throw new IOException(
          "initializer '"
              + name[0]
              + "' of shape "
              + Arrays.toString(sizes)
              + " holds "
              + data.remaining()
              + " values");
    }
    return new Initializer(name[0], sizes, data);
  }

  /** Writers may pack repeated integers into one field or not; readers must take both. */
  private static void dimensions(CodedInputStream in, int tag, List<Long> shape)
      throws IOException {
    if (WireFormat.getTagWireType(tag) != WireFormat.WIRETYPE_LENGTH_DELIMITED) {
      shape.add(in.readInt64());
      return;
    }
    int limit = in.pushLimit(in.readRawVarint32());
    while (!in.isAtEnd()) {
      shape.add(in.readInt64());
    }
    in.popLimit(limit);
  }

  /** Takes one field of a message; false leaves it unread, to be skipped. */
  private interface Fields {
    boolean take(int field, int tag) throws IOException;
  }

  private static void nested(CodedInputStream in, Fields fields) throws IOException {
    int limit = in.pushLimit(in.readRawVarint32());
    message(in, fields);
    in.popLimit(limit);
  }

  private static void message(CodedInputStream in, Fields fields) throws IOException {
    for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
      if (!fields.take(WireFormat.getTagFieldNumber(tag), tag)) {
        in.skipField(tag);
      }
    }
  }
}

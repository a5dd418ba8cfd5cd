package dev.fovea.encoder;

import com.google.protobuf.CodedOutputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Writes weights as an ONNX file has them: no more than that. */
final class TinyOnnx {
  private TinyOnnx() {}

  private interface Message {
    void write(CodedOutputStream out) throws IOException;
  }

  private static byte[] message(Message message) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    message.write(out);
    out.flush();
    return bytes.toByteArray();
  }

  /** Matrices of layers are transposed, named by numbers, and inputs of nodes. */
  static byte[] of(TinyBert model) throws IOException {
    byte[] graph =
        message(
            out -> {
              int number = 1000;
              for (String name : model.weights.keySet()) {
                int[] shape = model.shape(name);
                float[] values = model.weights.get(name);
                if (shape.length == 1 || name.startsWith("embeddings.")) {
                  out.writeByteArray(5, tensor(name, values, shape));
                } else {
                  String input = "onnx::MatMul_" + number++;
                  String module = name.substring(0, name.length() - ".weight".length());
                  String node =
                      "/" + module.replace('.', '/').replace("layer/", "layer.") + "/MatMul";
                  out.writeByteArray(1, node(node, input));
                  int[] turned = {shape[1], shape[0]};
                  out.writeByteArray(5, tensor(input, transposed(values, shape), turned));
                }
              }
            });
    return message(
        out -> {
          out.writeInt64(1, 8); // the version, which is skipped
          out.writeByteArray(7, graph);
        });
  }

  private static float[] transposed(float[] values, int[] shape) {
    float[] turned = new float[values.length];
    for (int i = 0; i < values.length; i++) {
      turned[i % shape[1] * shape[0] + i / shape[1]] = values[i];
    }
    return turned;
  }

  private static byte[] node(String name, String input) throws IOException {
    return message(
        out -> {
          out.writeString(1, "rows");
          out.writeString(1, input);
          out.writeString(3, name);
        });
  }

  private static byte[] tensor(String name, float[] values, int[] shape) throws IOException {
    ByteBuffer raw = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
    raw.asFloatBuffer().put(values);
    return message(
        out -> {
          for (int size : shape) {
            out.writeInt64(1, size);
          }
          out.writeInt32(2, 1);
          out.writeString(8, name);
          out.writeByteArray(9, raw.array());
        });
  }
}

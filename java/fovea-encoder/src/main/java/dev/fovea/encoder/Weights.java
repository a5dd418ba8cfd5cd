package dev.fovea.encoder;

import dev.fovea.DType;
import dev.fovea.Tensor;
import dev.fovea.nn.train.Safetensors;
import java.io.IOException;
import java.util.Arrays;

/** The weights of a BERT model, by the names of Hugging Face. */
interface Weights {
  /**
   * One of them, in row-major order; matrices are [out, in].
   *
   * @throws IOException if it is missing or has another shape or type
   */
  float[] read(String name, int... shape) throws IOException;

  /** Those of a safetensors file; float16 and bfloat16 are widened. */
  static Weights of(Safetensors file) {
    // Models with a head have the encoder's weights under its name.
    String prefix =
        file.tensors().keySet().stream().anyMatch(it -> it.startsWith("bert.")) ? "bert." : "";
    return (name, shape) -> {
      long[] sizes = Arrays.stream(shape).asLongStream().toArray();
      Tensor tensor = file.tensor(prefix + name, sizes);
      if (tensor.dtype() == DType.INT32 || tensor.dtype() == DType.BOOL) {
        throw new IOException(
            "%s is of type %s, expected float32, float16 or bfloat16"
                .formatted(prefix + name, tensor.dtype()));
      }
      return tensor.toFloatArray();
    };
  }

  /**
   * Those of an ONNX file as sentence-transformers exports it: matrices are the inputs of nodes,
   * transposed; what is a vector or a table keeps its name.
   */
  static Weights of(OnnxModel file) {
    return (name, shape) -> {
      boolean isMatrix = shape.length == 2 && !name.startsWith("embeddings.");
      if (!isMatrix) {
        return file.named(name, shape);
      }
      String module = name.substring(0, name.lastIndexOf(".weight"));
      String node = "/" + module.replace('.', '/').replace("layer/", "layer.") + "/MatMul";
      int out = shape[0];
      int in = shape[1];
      float[] from = file.ofNode(node, in, out);
      float[] to = new float[from.length];
      for (int o = 0; o < out; o++) {
        for (int i = 0; i < in; i++) {
          to[o * in + i] = from[i * out + o];
        }
      }
      return to;
    };
  }
}

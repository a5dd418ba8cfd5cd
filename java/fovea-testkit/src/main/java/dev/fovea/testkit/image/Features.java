package dev.fovea.testkit.image;

import dev.fovea.ffi.Abi;
import dev.fovea.ffi.Operand;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(ImageCase c) {
    ImageSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("images", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : s.batch() < 8 ? "2-7" : "8+");
    f.put("channels", channels(s.channels()));
    f.put("pixels", pixels(s.pixels()));
    f.put("inner", s.inner() == 1 ? "1" : s.inner() < 7 ? "2-6" : s.inner() < 16 ? "7-15" : "16+");
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("xLayout", ImageStyle.name(c.layout("x")));
    for (Operand operand : c.kind().table().operands(c.isBackward() ? Abi.BACKWARD : Abi.FORWARD)) {
      if (operand.present() != null) {
        f.put(operand.name(), c.has(operand.name()) ? "on" : "off");
      }
    }
    if (!c.isBackward()) {
      f.put("outLayout", ImageStyle.name(c.layout("out")));
      return f;
    }
    f.put("doutLayout", ImageStyle.name(c.layout("dout")));
    f.put("dxLayout", ImageStyle.name(c.layout("dx")));
    f.put("gradients", c.gradients().dtype() == c.dtype() ? "same" : c.gradients().dtype().name());
    f.put("deterministic", c.gradients().deterministic() ? "on" : "off");
    f.put("accumulate", c.gradients().accumulate() ? "on" : "off");
    return f;
  }

  private static String channels(int count) {
    if (count < 8) {
      return "1-7";
    }
    if (count >= 200) {
      return "200+";
    }
    return count % 8 != 0 ? "odd" : count <= 32 ? "8-32" : "48-128";
  }

  private static String pixels(int count) {
    return count < 16 ? "1-15" : count < 256 ? "16-255" : count < 4096 ? "256-4095" : "4096+";
  }
}

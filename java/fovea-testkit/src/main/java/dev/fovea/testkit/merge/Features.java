package dev.fovea.testkit.merge;

import dev.fovea.testkit.FeatureValues;
import dev.fovea.testkit.MatrixStyle;
import java.util.LinkedHashMap;
import java.util.Map;

/** The features of a case as name = value pairs of few values each: what coverage counts. */
final class Features {

  private Features() {}

  /** Feature values of a case, by feature. */
  static Map<String, String> of(MergeCase c) {
    MergeSizes s = c.sizes();
    Map<String, String> f = new LinkedHashMap<>();
    f.put("dtype", c.dtype().name());
    f.put("out", c.outDType() == c.dtype() ? "same" : c.outDType().name());
    f.put("batch", s.batch() == 0 ? "0" : s.batch() == 1 ? "1" : "2+");
    f.put("parts", parts(s.parts()));
    f.put("length", FeatureValues.size(s.length()));
    f.put("heads", s.heads() == 1 ? "1" : s.heads() < 16 ? "2-15" : "16+");
    f.put("width", FeatureValues.headDim(s.width()));
    f.put("lses", c.lses().name());
    f.put("empty", c.empty() ? "some" : "none");
    f.put("sinks", c.has("sinks") ? "given" : "none");
    f.put("content", c.content().name());
    f.put("guard", c.guard().name());
    f.put("parallelism", String.valueOf(c.parallelism()));
    f.put("outsLayout", PartStyle.name(c.layout("outs")));
    f.put("lsesLayout", FeatureValues.layout(c.layout("lses")));
    f.put("outLayout", FeatureValues.layout(c.layout("out")));
    f.put("lseLayout", c.has("lse") ? MatrixStyle.name(c.layout("lse")) : "none");
    return f;
  }

  private static String parts(int count) {
    if (count <= 4) {
      return String.valueOf(count);
    }
    return count <= 8 ? "5-8" : count <= 32 ? "9-32" : "33+";
  }
}

package dev.fovea.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.cli.npy.Npy;
import dev.fovea.cli.npy.NpyType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.image.CaseBuilder;
import dev.fovea.testkit.image.ChannelOracle;
import dev.fovea.testkit.image.ImageCase;
import dev.fovea.testkit.image.ImageCase.Kind;
import dev.fovea.testkit.image.Operands;
import dev.fovea.testkit.image.SpatialOracle;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** {@code attend --op channel} and {@code spatial} against their oracles. */
class AttendImagesTest {

  @TempDir private Path folder;

  private static Map<String, Expected> expected(ImageCase c, Operands data) {
    return c.kind() == Kind.CHANNEL ? ChannelOracle.run(c, data) : SpatialOracle.run(c, data);
  }

  private static CaseBuilder builder(Kind kind) {
    return new CaseBuilder(kind).sizes(2, 9, 6, 7, 5);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void bothPasses(Kind kind) throws IOException {
    ImageCase backward = builder(kind).backward(DType.FLOAT32).build();
    Operands data = Operands.of(backward);
    Map<String, Expected> results = new HashMap<>(expected(backward, data));
    results.putAll(expected(builder(kind).build(), data));

    NpyFiles files = new NpyFiles(folder);
    List<String> line = new ArrayList<>(List.of("attend", "--json", "--op"));
    line.add(kind.name().toLowerCase(Locale.ROOT));
    for (Map.Entry<String, float[]> operand : data.all().entrySet()) {
      long[] shape = backward.layout(operand.getKey()).size();
      boolean image = shape.length == 5;
      long[] tensor = image ? new long[] {shape[0], shape[1], shape[2], shape[3]} : shape;
      line.addAll(files.operand(operand.getKey(), NpyType.FLOAT32, operand.getValue(), tensor));
    }
    for (String result : results.keySet()) {
      line.addAll(files.result(result));
    }
    Cli cli = Cli.run(line.toArray(String[]::new));
    assertEquals(0, cli.code(), cli.err());

    for (Map.Entry<String, Expected> result : results.entrySet()) {
      Npy got = files.read(result.getKey());
      Expected right = result.getValue();
      assertEquals(right.elements(), got.elements());
      for (int i = 0; i < right.elements(); i++) {
        double off = Math.abs(got.value(i) - right.value(i));
        assertTrue(off <= right.allowed(i), result.getKey() + " " + i + " is off by " + off);
      }
    }
  }
}

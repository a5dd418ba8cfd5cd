package dev.fovea.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.bench.Report.Row;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ConversionSpeedTest {

  @ParameterizedTest
  @EnumSource
  void everyPairIsVerifiedAndTimed(ConversionSpeed.Source source) throws Exception {
    List<Row> rows = ConversionSpeed.measure(source, 1, 1e-9);
    assertEquals(9, rows.size());
    for (Row row : rows) {
      assertTrue(row.figures().get(ConversionSpeed.NANOSECONDS) > 0, row.toString());
    }
  }
}

package dev.fovea.testkit.append;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.testkit.Expected;
import dev.fovea.testkit.append.AppendCase.Content;
import dev.fovea.testkit.append.AppendSizes.Lengths;
import dev.fovea.testkit.append.CaseBuilder.Scales;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What is expected, by hand; and what the formulas do not let pass. */
class OracleTest {

  private static AppendCase one(DType cache, Scales scales) {
    return new CaseBuilder()
        .dtype(DType.FLOAT32, cache)
        .heads(1, 4, 0)
        .starts(0)
        .rows(Lengths.FULL, 2)
        .room(0)
        .scales(scales, Scales.NONE)
        .build();
  }

  private static Operands rows(AppendCase c, float... key) {
    Operands data = Operands.of(c);
    System.arraycopy(key, 0, data.get("key"), 0, key.length);
    return data;
  }

  private static void cache(Map<String, Expected> all, int... bytes) {
    for (int i = 0; i < bytes.length; i++) {
      assertEquals(bytes[i] & 0xff, all.get("key_cache").value(i), "byte " + i);
    }
  }

  @Test
  void scalesOfRows() {
    AppendCase c = one(DType.INT8, Scales.ROWS);
    Operands data = rows(c, 254, -1, 3, -126.9f, 0, -0f, 0, 0);
    Map<String, Expected> all = c.expected(data);
    assertEquals(2, all.get("key_scales").value(0));
    assertEquals(0, all.get("key_scales").value(1));
    cache(all, 127, 0, 2, -63, 0, 0, 0, 0); // -1/2 and 3/2 go to even ones
  }

  @Test
  void scalesOfPagesArePowersOf2() {
    AppendCase c = one(DType.INT4X2, Scales.SHARED);
    Map<String, Expected> all = c.expected(rows(c, 1, -2, 3, 4, 14.5f, -29, 0, 6));
    assertEquals(8, all.get("key_scales").value(0)); // of 29 / 7
    cache(all, 0, 0, 0xc2, 0x10); // 1/8, -1/4; 3/8, 1/2; 2, -4; 0, 3/4
  }

  @Test
  void codesOfE4m3() {
    AppendCase c = one(DType.FLOAT8_E4M3, Scales.NONE);
    float[] key = {1, -448, 500, 0.0625f, 17, 19, -0x1p-10f, Float.NaN};
    cache(Rounded.run(c, rows(c, key)), 0x38, 0xfe, 0x7e, 0x18, 0x58, 0x5a, 0x80, 0x7f);
  }

  /** Infinities are cut off without a scale, and leave none with one. */
  @Test
  void whatIsNoNumber() {
    float[] key = {1, Float.POSITIVE_INFINITY, 0, 0, 1, 2, 3, Float.NaN};
    AppendCase c = one(DType.INT8, Scales.NONE);
    cache(Rounded.run(c, rows(c, key)), 1, 127, 0, 0, 1, 2, 3, 0);
    AppendCase scaled = one(DType.INT8, Scales.ROWS);
    Map<String, Expected> all = scaled.expected(rows(scaled, key));
    cache(all, 0, 0, 0, 0, 0, 0, 0, 0);
    assertTrue(Double.isNaN(all.get("key_scales").value(0)));
    assertTrue(Double.isNaN(all.get("key_scales").value(1)));
  }

  /** Rows before are halved with a scale that doubles, and stay with one that does not. */
  @Test
  void rowsBeforeAreRoundedAgain() {
    AppendCase c =
        new CaseBuilder()
            .dtype(DType.FLOAT32, DType.INT8)
            .heads(1, 4, 0)
            .starts(1)
            .rows(Lengths.FULL, 1)
            .scales(Scales.SHARED, Scales.NONE)
            .build();
    Operands data = rows(c, 100, 0, 0, 0);
    data.get("key_scales")[0] = 0.5f;
    System.arraycopy(new float[] {127, 253, 5, 0}, 0, data.get("key_cache"), 0, 4);
    Map<String, Expected> all = c.expected(data);
    assertEquals(1, all.get("key_scales").value(0));
    cache(all, 64, -2, 2, 0, 100, 0, 0, 0); // of 127, -3, 5 and 0
    data.get("key_scales")[0] = 4;
    all = c.expected(data);
    assertEquals(4, all.get("key_scales").value(0));
    cache(all, 127, -3, 5, 0, 25, 0, 0, 0);
  }

  @Test
  void keysAreRotatedBeforeTheyAreRounded() {
    AppendCase c =
        new CaseBuilder()
            .dtype(DType.FLOAT32, DType.INT8)
            .heads(1, 4, 0)
            .starts(0)
            .rows(Lengths.FULL, 1)
            .rotated(1, true)
            .build();
    Operands data = rows(c, 10, 3, 7, 8);
    data.get("cosines")[0] = 0;
    data.get("sines")[0] = 2;
    cache(c.expected(data), -6, 20, 7, 8);
  }

  /** Codes, scales and elements that are one off do not pass. */
  @Test
  void theFormulasAreHeldTo() {
    for (DType type : new DType[] {DType.BFLOAT16, DType.INT8, DType.INT4X2, DType.FLOAT8_E4M3}) {
      for (Scales scales : type == DType.BFLOAT16 ? new Scales[] {Scales.NONE} : Scales.values()) {
        AppendCase c =
            new CaseBuilder()
                .dtype(DType.FLOAT32, type)
                .heads(1, 8, 0)
                .starts(0)
                .rows(Lengths.FULL, 3)
                .rotated(2, false)
                .scales(scales, Scales.NONE)
                .content(Content.NORMAL, 3)
                .build();
        Operands data = Operands.of(c);
        for (String name : new String[] {"key_cache", "key_scales"}) {
          Map<String, Expected> all = Rounded.run(c, data);
          Oracle.check(c, data, all);
          Expected changed = all.get(name);
          if (changed == null) {
            continue;
          }
          double value = changed.value(2 % changed.elements());
          boolean code = name.equals("key_cache") && type != DType.BFLOAT16;
          double off = code ? (int) value & 0x77 ^ 2 : value * (1 + 1.0 / 64);
          changed.expect(2 % changed.elements(), code && off == value ? value + 1 : off, 0);
          assertThrows(
              IllegalStateException.class,
              () -> Oracle.check(c, data, all),
              type + " " + scales + " " + name);
        }
      }
    }
  }
}

package dev.fovea.nn;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.fovea.DType;
import dev.fovea.Device;
import dev.fovea.Scope;
import dev.fovea.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class EmbeddingTest {
  private static final double TOLERANCE = 1e-5;
  private static final int VOCABULARY = 9;
  private static final int WIDTH = 5;
  private static final int LENGTH = 4;
  private static final int[] IDS = {3, 0, 8, 3, 2, 2, 2, 7}; // some more than once, some never

  private static List<Device> devices() {
    return List.of(Device.cpu(), GradientCheck.simulated());
  }

  private static Variable ints(Tape tape, String name, int[] values, long... shape) {
    return tape.constant(name, scope -> scope.copyOf(values, shape));
  }

  private static Variable ids(Tape tape) {
    return ints(tape, "ids", IDS, 2, LENGTH);
  }

  private interface Position {
    double of(int row, int column);
  }

  private static double[] expected(double[] table, double scale, Position position) {
    double[] rows = new double[IDS.length * WIDTH];
    Arrays.setAll(
        rows,
        i ->
            (float) scale * table[IDS[i / WIDTH] * WIDTH + i % WIDTH]
                + position.of(i / WIDTH, i % WIDTH));
    return rows;
  }

  private static double sine(int position, int column) {
    double angle = position / Math.pow(10_000, 2.0 * (column / 2) / WIDTH);
    return column % 2 == 0 ? Math.sin(angle) : Math.cos(angle);
  }

  private static Embedding embedding() {
    return new Embedding(VOCABULARY, WIDTH);
  }

  @Test
  void rowsOfTheTable() {
    for (Device device : devices()) {
      Embedding embedding = embedding();
      GradientCheck.check(
          device,
          embedding,
          tape -> embedding.forward(ids(tape)),
          p -> expected(p.get("weight"), 1, (row, column) -> 0),
          TOLERANCE);
    }
  }

  @Test
  void onlyRowsOfTheTableAreScaled() {
    for (Device device : devices()) {
      Embedding embedding = embedding().scale(Math.sqrt(WIDTH)).sinusoidalPositions(LENGTH);
      GradientCheck.check(
          device,
          embedding,
          tape -> embedding.forward(ids(tape)),
          p ->
              expected(
                  p.get("weight"), Math.sqrt(WIDTH), (row, column) -> sine(row % LENGTH, column)),
          TOLERANCE);
    }
  }

  @Test
  void learnedPositionsAndMoreOfThemThanAreRead() {
    for (Device device : devices()) {
      Embedding embedding = embedding().learnedPositions(LENGTH + 3).scale(2);
      GradientCheck.check(
          device,
          embedding,
          tape -> embedding.forward(ids(tape)),
          p ->
              expected(
                  p.get("weight"),
                  2,
                  (row, column) -> p.get("positions")[row % LENGTH * WIDTH + column]),
          TOLERANCE);
    }
  }

  @Test
  void positionsThatAreGiven() {
    int[] each = {5, 5, 1, 0, 6, 2, 5, 1};
    int[] forAll = {2, 0, 6, 2};
    for (Device device : devices()) {
      Embedding learned = embedding().learnedPositions(7);
      GradientCheck.check(
          device,
          learned,
          tape -> learned.forward(ids(tape), ints(tape, "at", each, 2, LENGTH)),
          p ->
              expected(
                  p.get("weight"),
                  1,
                  (row, column) -> p.get("positions")[each[row] * WIDTH + column]),
          TOLERANCE);
      Embedding sines = embedding().sinusoidalPositions(7);
      GradientCheck.check(
          device,
          sines,
          tape -> sines.forward(ids(tape), ints(tape, "at", forAll, 1, LENGTH)),
          p -> expected(p.get("weight"), 1, (row, column) -> sine(forAll[row % LENGTH], column)),
          TOLERANCE);
    }
  }

  @Test
  void rowsThatAreReadTwiceAndUsedAgain() {
    Embedding embedding = embedding().learnedPositions(LENGTH);
    GradientCheck.check(
        embedding,
        tape -> {
          Variable rows = embedding.forward(ids(tape));
          Variable others =
              embedding.forward(
                  ints(tape, "others", new int[] {1, 1, 1, 1, 3, 3, 8, 8}, 2, LENGTH));
          return Functions.add(Functions.add(rows, Functions.tanh(others)), rows);
        },
        p -> {
          Position position = (row, column) -> p.get("positions")[row % LENGTH * WIDTH + column];
          double[] rows = expected(p.get("weight"), 1, position);
          int[] others = {1, 1, 1, 1, 3, 3, 8, 8};
          double[] sum = new double[rows.length];
          Arrays.setAll(
              sum,
              i ->
                  2 * rows[i]
                      + Math.tanh(
                          p.get("weight")[others[i / WIDTH] * WIDTH + i % WIDTH]
                              + position.of(i / WIDTH, i % WIDTH)));
          return sum;
        },
        TOLERANCE);
  }

  /** The padding row is read like any other, begins with zeros, and never gets a gradient. */
  @Test
  void paddingBeginsWithZerosAndStays() {
    for (Device device : devices()) {
      Embedding embedding = embedding().padding(2).scale(3);
      try (Parameters parameters = Parameters.of(embedding, device, 4);
          Tape tape = Tape.open(device);
          Scope scope = Scope.open(device)) {
        float[] table = embedding.table().value().toFloatArray();
        for (int i = 0; i < table.length; i++) {
          assertEquals(i / WIDTH == 2, table[i] == 0, "weight[" + i + "]");
        }
        Variable rows = embedding.forward(ids(tape));
        assertEquals(0, rows.value().getFloat(1, 1, 3));
        tape.backward(rows, scope.allocate(DType.FLOAT32, 2, LENGTH, WIDTH).fill(1));
        float[] expected = new float[VOCABULARY * WIDTH];
        for (int id : IDS) {
          for (int d = 0; d < WIDTH && id != 2; d++) {
            expected[id * WIDTH + d] += 3;
          }
        }
        assertArrayEquals(expected, embedding.table().gradient().toFloatArray());
        assertEquals(VOCABULARY * WIDTH, parameters.count());
      }
    }
  }

  /** Rows of the table have about the norm 1, whatever the width. */
  @Test
  void firstValuesHaveTheRootOfTheWidthForAScale() {
    Embedding embedding = new Embedding(200, 64).padding(0);
    try (Parameters parameters = Parameters.of(embedding, Device.cpu(), 3)) {
      double squares = 0;
      for (float value : embedding.table().value().toFloatArray()) {
        squares += value * value;
      }
      assertEquals(1, squares / 199, 0.05);
      assertEquals(200 * 64, parameters.count());
    }
  }

  /** Sines of a tape are made once, for one width and number of positions. */
  @Test
  void embeddingsOfOneTapeHaveTheirOwnSines() {
    Embedding small = new Embedding(VOCABULARY, 4).sinusoidalPositions(4);
    Embedding large = new Embedding(VOCABULARY, 6).sinusoidalPositions(4);
    try (Parameters first = Parameters.of(small, Device.cpu(), 1);
        Parameters second = Parameters.of(large, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu())) {
      for (Embedding each : List.of(small, large, small)) {
        float[] table = each.table().value().toFloatArray();
        Tensor rows = each.forward(ids(tape)).value();
        int width = (int) rows.size(2);
        double sine = Math.sin(3 / Math.pow(10_000, 2.0 / width)); // of position 3
        assertEquals(table[IDS[3] * width + 2] + sine, rows.getFloat(0, 3, 2), 1e-6);
      }
      assertEquals(first.count() / 2 * 3, second.count());
    }
  }

  @Test
  void refusesWhatDoesNotFit() {
    Embedding embedding = embedding().learnedPositions(LENGTH);
    assertThrows(IllegalStateException.class, () -> embedding.sinusoidalPositions(4));
    assertThrows(IllegalStateException.class, () -> embedding.learnedPositions(4));
    assertThrows(IllegalArgumentException.class, () -> embedding().padding(-1));
    assertThrows(IllegalArgumentException.class, () -> embedding().scale(Double.NaN));
    try (Parameters parameters = Parameters.of(embedding, Device.cpu(), 1);
        Tape tape = Tape.open(Device.cpu())) {
      long held = tape.memoryHeld();
      for (int n = 0; n < 3; n++) {
        tape.begin();
        Variable long5 = tape.input(DType.INT32, 1, LENGTH + 1); // no such position
        assertThrows(IllegalArgumentException.class, () -> embedding.forward(long5));
        tape.begin();
        Variable ids = tape.input(DType.INT32, 1, LENGTH);
        ids.value().fill(VOCABULARY);
        assertThrows(IllegalArgumentException.class, () -> embedding.forward(ids));
        tape.begin();
        Variable floats = tape.input(DType.FLOAT32, 1, LENGTH);
        assertThrows(IllegalArgumentException.class, () -> embedding.forward(floats));
        tape.begin();
        Variable flat = tape.input(DType.INT32, LENGTH);
        assertThrows(IllegalArgumentException.class, () -> embedding.forward(flat));
        if (n == 0) {
          held = tape.memoryHeld();
        }
        assertEquals(held, tape.memoryHeld(), "what is refused leaks");
      }
      Map<String, Parameter> named = parameters.named();
      assertTrue(named.containsKey("positions"));
    }
  }

  /** A padding id that is no row is an error of the module's, not of an array. */
  @Test
  void refusesAPaddingThatIsNoRow() {
    assertThrows(IllegalArgumentException.class, () -> embedding().padding(VOCABULARY));
    assertThrows(IllegalArgumentException.class, () -> embedding().padding(Long.MAX_VALUE));
  }

  @Test
  void refusesTablesOfNoRows() {
    assertThrows(IllegalArgumentException.class, () -> new Embedding(0, 4));
    assertThrows(IllegalArgumentException.class, () -> new Embedding(4, 0));
    assertThrows(IllegalArgumentException.class, () -> embedding().learnedPositions(0));
    assertThrows(IllegalArgumentException.class, () -> embedding().sinusoidalPositions(0));
    assertThrows(IllegalArgumentException.class, () -> embedding().sinusoidalPositions(-3));
  }
}

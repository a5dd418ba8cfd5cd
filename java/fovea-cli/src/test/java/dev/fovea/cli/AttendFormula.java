package dev.fovea.cli;

import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Both passes of {@code attend} against a plain forward in double and differences of it: what every
 * operation over queries and keys can do.
 */
abstract class AttendFormula {

  @TempDir private Path folder;

  NpyFiles files;

  @BeforeEach
  void nameFiles() {
    files = new NpyFiles(folder);
  }

  /** The operation with random operands, of as many as it must have. */
  abstract PlainAttention of(
      int batch, int queries, int keys, int heads, int keyHeads, int dim, int valueDim);

  final PlainAttention sizes() {
    return of(2, 9, 9, 4, 4, 8, 8);
  }

  void check(PlainAttention plain, String... options) throws IOException {
    new PlainLine(files, plain).check(PlainLine.FLOAT32, options);
  }

  @Test
  void plain() throws IOException {
    check(sizes());
  }

  @Test
  void causalRectangular() throws IOException {
    PlainAttention wide = of(2, 5, 13, 2, 2, 8, 8);
    wide.causal = true;
    check(wide, "--causal");
    wide.topLeft = true;
    check(wide, "--causal=top-left");
    PlainAttention tall = of(2, 13, 5, 2, 2, 8, 8); // rows that see no key
    tall.causal = true;
    check(tall, "--causal");
  }

  @Test
  void groupedHeads() throws IOException {
    check(of(2, 6, 7, 6, 2, 8, 5));
  }

  @Test
  void window() throws IOException {
    PlainAttention window = sizes();
    window.left = 3;
    window.right = 1;
    check(window, "--window", "3,1");
  }

  @Test
  void lengths() throws IOException {
    PlainAttention ragged = sizes();
    ragged.keyLengths = new int[] {6, 0};
    check(ragged);
    ragged.queryLengths = new int[] {2, 9};
    ragged.keyLengths = new int[] {9, 4};
    ragged.causal = true;
    check(ragged, "--causal");
  }

  @Test
  void zeroLength() throws IOException {
    check(of(2, 9, 0, 4, 4, 8, 8));
    check(of(2, 0, 9, 4, 4, 8, 8));
    check(of(0, 9, 9, 4, 4, 8, 8));
  }
}

package dev.fovea.bench;

import dev.fovea.DType;
import dev.fovea.testkit.Pass;
import java.util.ArrayList;
import java.util.List;

/**
 * One attention with a block mask to time: as many blocks of each row, and that on the diagonal.
 *
 * @param pass forward or backward pass
 * @param dtype of query, key, value and out, and of their gradients
 * @param block queries and keys of a block
 * @param percent of the blocks that are listed, about
 * @param sequence S
 * @param heads H, which share the mask
 * @param headDim D, and Dv
 */
record BlockProblem(
    Pass pass, DType dtype, int block, int percent, int sequence, int heads, int headDim)
    implements ComposedProblem {

  /** The problem that has targets, of a pass. */
  static BlockProblem headline(Pass pass) {
    return of(pass, 25);
  }

  /** All that is measured; on more threads than one less of it. */
  static List<BlockProblem> all(int threads) {
    List<BlockProblem> all = new ArrayList<>();
    for (Pass pass : Pass.values()) {
      for (int percent : threads == 1 ? new int[] {5, 25, 50, 100} : new int[] {25}) {
        all.add(of(pass, percent));
      }
    }
    return all;
  }

  private static BlockProblem of(Pass pass, int percent) {
    return new BlockProblem(pass, DType.FLOAT32, 128, percent, 4096, 2, 64);
  }

  @Override
  public BlockProblem as(DType other) {
    return new BlockProblem(pass, other, block, percent, sequence, heads, headDim);
  }

  @Override
  public String shape() {
    return "%d %% of blocks of %d, S %d, H %d, D = Dv = %d"
        .formatted(percent, block, sequence, heads, headDim);
  }

  @Override
  public FoveaBlocks open() {
    return new FoveaBlocks(this);
  }

  /** Which blocks are listed, [rows][columns]. */
  boolean[][] blocks() {
    int count = (sequence + block - 1) / block;
    boolean[][] blocks = new boolean[count][count];
    for (int m = 0; m < count; m++) {
      for (int n = 0; n < count; n++) {
        blocks[m][n] = m == n || (n * 13 + m * 7) % count < (count * percent + 50) / 100;
      }
    }
    return blocks;
  }

  private double pairs() {
    boolean[][] blocks = blocks();
    double pairs = 0;
    for (int i = 0; i < sequence; i++) {
      for (int j = 0; j < sequence; j++) {
        pairs += blocks[i / block][j / block] ? 1 : 0;
      }
    }
    return pairs * heads;
  }

  /** Two products of the pairs in listed blocks, five in the backward pass. */
  @Override
  public Floor floor() {
    return Floor.products(pass, headDim, pairs());
  }

  /** The scores, their mask and weights, and in the backward pass the gradients of both. */
  @Override
  public double composedBytes() {
    return (double) Float.BYTES * heads * sequence * sequence * (pass == Pass.BACKWARD ? 5 : 3);
  }

  @Override
  public double differenceAllowed() {
    return differenceOfSums(sequence);
  }

  @Override
  public String toString() {
    return "blocks %s %s %s".formatted(pass, dtype, shape());
  }
}

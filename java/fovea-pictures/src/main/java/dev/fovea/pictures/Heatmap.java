package dev.fovea.pictures;

import dev.fovea.Tensor;
import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.util.List;
import java.util.Objects;

/**
 * A picture of attention weights: one row for each query, one column for each key, darker where the
 * weight is larger. Cells that have room for it show their number; of more than 1000 rows or
 * columns a cell shows several, as {@link #reduction} says, and the picture says so. Not
 * thread-safe.
 */
public final class Heatmap {
  /** Cells in a row or column. */
  static final int MOST = 1000;

  private static final int SIDE = 900; // pixels that cells take, unless they are readable at more
  private static final int LARGEST_CELL = 52;
  private static final int NUMBERS_FROM = 40; // cells of so many pixels also show their number
  private static final int GRID_FROM = 6; // likewise lines between them
  private static final int MARGIN = 24;
  private static final int GAP = 8; // between labels and cells
  private static final int LONGEST_LABEL = 40; // characters
  private static final int BAR_FROM_CELLS = 28;
  private static final int BAR_LENGTH = 120; // at least

  private final Grid weights;
  private List<String> rowLabels;
  private List<String> columnLabels;
  private String title = "";
  private String rowAxis = "query";
  private String columnAxis = "key";
  private Reduction reduction = Reduction.MAX;
  private ColourScale scale; // null: that of the cells

  private Heatmap(Grid weights) {
    this.weights = weights;
  }

  /**
   * A picture of the weights of a head: {@code weights.select(0, sequence).select(0, head)} of
   * those that a call gives.
   *
   * @param weights [queries, keys] of a floating type, on any device; they are copied
   * @throws IllegalArgumentException if they have another rank or type, or there are none
   */
  public static Heatmap of(Tensor weights) {
    return new Heatmap(Grid.of(weights, "queries, keys"));
  }

  /**
   * An alignment: which source tokens each target token was made from (Bahdanau et al., 2014, arXiv
   * 1409.0473, figure 3).
   *
   * @param weights [target tokens, source tokens]
   * @throws IllegalArgumentException as {@link #of}, or if the labels are not as many
   */
  public static Heatmap alignment(Tensor weights, List<String> source, List<String> target) {
    return of(weights).rowLabels(target).columnLabels(source).axes("target", "source");
  }

  /**
   * What stands beside the rows, where there is room; their numbers unless set.
   *
   * @throws IllegalArgumentException if they are not as many as rows
   */
  public Heatmap rowLabels(List<String> labels) {
    rowLabels = checked("rowLabels", labels, weights.rows());
    return this;
  }

  /**
   * What stands above the columns, where there is room; their numbers unless set.
   *
   * @throws IllegalArgumentException if they are not as many as columns
   */
  public Heatmap columnLabels(List<String> labels) {
    columnLabels = checked("columnLabels", labels, weights.columns());
    return this;
  }

  private static List<String> checked(String name, List<String> labels, int count) {
    if (labels.size() != count) {
      throw new IllegalArgumentException(
          "%s are %d, expected %d as in weights".formatted(name, labels.size(), count));
    }
    return labels.stream()
        .map(it -> it.length() > LONGEST_LABEL ? it.substring(0, LONGEST_LABEL - 1) + "…" : it)
        .toList();
  }

  /** What is shown; nothing unless set. */
  public Heatmap title(String title) {
    this.title = Objects.requireNonNull(title, "title");
    return this;
  }

  /** What rows and columns are; "query" and "key" unless set. */
  public Heatmap axes(String rows, String columns) {
    rowAxis = Objects.requireNonNull(rows, "rows");
    columnAxis = Objects.requireNonNull(columns, "columns");
    return this;
  }

  /**
   * The weights that have the lightest and the darkest colour, for pictures that are compared;
   * those beyond are drawn as these. Unless set from 0, or a negative weight, to the largest.
   *
   * @throws IllegalArgumentException if these are not two finite numbers, the first the smaller
   */
  public Heatmap range(double low, double high) {
    scale = ColourScale.between(low, high);
    return this;
  }

  /** What a cell of several weights shows; {@link Reduction#MAX} unless set. */
  public Heatmap reduction(Reduction reduction) {
    this.reduction = Objects.requireNonNull(reduction, "reduction");
    return this;
  }

  /**
   * The picture as PNG.
   *
   * @throws IOException if this machine has no fonts
   */
  public byte[] png() throws IOException {
    return Picture.png(this::image);
  }

  /** The picture, to be drawn elsewhere. */
  public BufferedImage image() {
    return new Drawing().image();
  }

  /** One picture with its measures, in pixels. */
  private final class Drawing {
    private final int down = Grid.step(weights.rows(), MOST);
    private final int across = Grid.step(weights.columns(), MOST);
    private final Grid cells = weights.reduced(down, across, reduction);
    private final ColourScale colours = scale != null ? scale : ColourScale.of(cells);
    private final int cell =
        Math.clamp(SIDE / Math.max(cells.rows(), cells.columns()), 1, LARGEST_CELL);
    private final Font titleFont = new Font(Font.SANS_SERIF, Font.BOLD, 18);
    private final Font smallFont = new Font(Font.SANS_SERIF, Font.PLAIN, 12);
    private final Font labelFont =
        new Font(Font.SANS_SERIF, Font.PLAIN, Math.clamp(cell - 3, 10, 15));
    private final int width = cells.columns() * cell;
    private final int height = cells.rows() * cell;
    private int left;
    private int top;

    BufferedImage image() {
      BufferedImage probe = new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB);
      Graphics2D measure = probe.createGraphics();
      FontMetrics labels = measure.getFontMetrics(labelFont);
      left = MARGIN + 24 + widest(labels, rowLabels, cells.rows(), down) + GAP;
      top = MARGIN + 60 + widest(labels, columnLabels, cells.columns(), across) + GAP;
      int text = measure.getFontMetrics(titleFont).stringWidth(title);
      text = Math.max(text, measure.getFontMetrics(smallFont).stringWidth(note()));
      measure.dispose();
      int bar = left + width + BAR_FROM_CELLS;
      int length = Math.clamp(height, BAR_LENGTH, 300);
      return Picture.draw(
          Math.max(bar + ColourScale.BAR_WIDTH + ColourScale.BAR_LABELS, MARGIN + text + MARGIN),
          top + Math.max(height, length + 30) + MARGIN + (note().isEmpty() ? 0 : 20),
          g -> {
            g.setFont(titleFont);
            g.drawString(title, MARGIN, MARGIN + 16);
            drawCells(g);
            drawLabels(g);
            g.setFont(smallFont);
            colours.drawBar(g, bar, top, length, hasNan(), ColourScale::colour);
            g.drawString(note(), MARGIN, top + Math.max(height, length + 30) + MARGIN + 4);
          });
    }

    private boolean hasNan() {
      for (float value : cells.values()) {
        if (Float.isNaN(value)) {
          return true;
        }
      }
      return false;
    }

    private String note() {
      return down == 1 && across == 1
          ? ""
          : "Each cell is the %s of %d x %d weights.".formatted(reduction.text(), down, across);
    }

    private int widest(FontMetrics metrics, List<String> labels, int count, int step) {
      return labels == null
          ? metrics.stringWidth(String.valueOf(count * step))
          : labels.stream().mapToInt(metrics::stringWidth).max().orElse(0);
    }

    private void drawCells(Graphics2D g) {
      g.setFont(smallFont);
      for (int i = 0; i < cells.rows(); i++) {
        for (int j = 0; j < cells.columns(); j++) {
          float weight = cells.at(i, j);
          int x = left + j * cell;
          int y = top + i * cell;
          colours.fill(g, weight, x, y, cell);
          if (cell >= NUMBERS_FROM && !Float.isNaN(weight)) {
            g.setColor(colours.share(weight) > 0.6 ? Color.WHITE : Color.DARK_GRAY);
            centred(g, colours.text(weight), x, y);
          }
        }
      }
      g.setColor(new Color(0xE4E4E4));
      for (int i = 1; cell >= GRID_FROM && i < cells.rows(); i++) {
        g.drawLine(left, top + i * cell, left + width - 1, top + i * cell);
      }
      for (int j = 1; cell >= GRID_FROM && j < cells.columns(); j++) {
        g.drawLine(left + j * cell, top, left + j * cell, top + height - 1);
      }
      g.setColor(Color.GRAY);
      g.drawRect(left - 1, top - 1, width + 1, height + 1);
    }

    private void centred(Graphics2D g, String text, int x, int y) {
      FontMetrics metrics = g.getFontMetrics();
      g.drawString(
          text,
          x + (cell - metrics.stringWidth(text)) / 2,
          y + (cell + metrics.getAscent() - metrics.getDescent()) / 2);
    }

    private void drawLabels(Graphics2D g) {
      g.setColor(Color.BLACK);
      g.setFont(labelFont);
      FontMetrics metrics = g.getFontMetrics();
      int middle = (cell + metrics.getAscent() - metrics.getDescent()) / 2;
      int every = every(metrics.getHeight());
      for (int i = 0; i < cells.rows(); i += every) {
        String label = label(rowLabels, i * down);
        g.drawString(label, left - GAP - metrics.stringWidth(label), top + i * cell + middle);
      }
      for (int j = 0; j < cells.columns(); j += every) {
        Picture.upward(g, label(columnLabels, j * across), left + j * cell + middle, top - GAP);
      }
      g.setFont(smallFont);
      g.setColor(Color.DARK_GRAY);
      Picture.upward(g, rowAxis, MARGIN + 8, top + height);
      g.drawString(columnAxis, left, MARGIN + 48);
    }

    /** The least of 1, 2, 5, 10, ... labels at which they do not run into each other. */
    private int every(int room) {
      int every = 1;
      for (int step = 0; every * cell < room; step++) {
        every = (step % 3 == 1) ? every / 2 * 5 : every * 2;
      }
      return every;
    }

    private static String label(List<String> labels, int index) {
      return labels == null ? String.valueOf(index) : labels.get(index);
    }
  }
}

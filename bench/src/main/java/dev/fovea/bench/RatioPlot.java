package dev.fovea.bench;

import dev.fovea.bench.Report.Row;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.knowm.xchart.AnnotationLine;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.CategorySeries;
import org.knowm.xchart.style.CategoryStyler;
import org.knowm.xchart.style.Styler.LegendLayout;
import org.knowm.xchart.style.Styler.LegendPosition;

/**
 * The plots: float32 attention and its backward pass on one thread against libtorch and against
 * sgemm, one column for each instruction set.
 */
enum RatioPlot {
  ATTENTION("attention", "Attention"),
  BACKWARD("backward", "Backward pass of attention");

  private static final int WIDTH = 900;
  private static final int HEIGHT = 400;
  private static final Color INK = new Color(0x26, 0x26, 0x26);
  private static final Color GRID = new Color(0xe0, 0xe0, 0xe0);

  /** Dark blue and orange: apart for every kind of eye, and in grey. */
  private static final Color[] COLORS = {new Color(0x1f, 0x4e, 0x79), new Color(0xf2, 0x9f, 0x3d)};

  private final String benchmark;
  private final String what;

  RatioPlot(String benchmark, String what) {
    this.benchmark = benchmark;
    this.what = what;
  }

  /** Its name in the folder of the results. */
  String file() {
    return "cpu-" + benchmark + ".png";
  }

  /** What it shows, in words. */
  String title() {
    return what + ": ratio to libtorch and to sgemm";
  }

  /** Whether there is anything to draw. */
  boolean shows(List<List<Report>> all) {
    return all.stream().flatMap(List::stream).anyMatch(this::shows);
  }

  private boolean shows(Report report) {
    return report.benchmark().equals(benchmark)
        && !report.isa().equals("portable")
        && report.rows().stream().anyMatch(RatioPlot::shows);
  }

  private static boolean shows(Row row) {
    return row.is("dtype", "float32")
        && row.is("threads", 1)
        && row.is("order", "BHSD")
        && row.ratios().containsKey(Race.LIBTORCH);
  }

  /** Draws it into {@code folder}, and says whether there was anything to draw. */
  boolean write(List<List<Report>> all, Path folder) throws IOException {
    // Nothing here needs a display.
    System.setProperty("java.awt.headless", "true");
    List<Report> reports = all.stream().flatMap(List::stream).filter(this::shows).toList();
    List<CategoryChart> charts = new ArrayList<>();
    reports.forEach(report -> charts.add(chart(report, Race.LIBTORCH, "times libtorch's speed")));
    reports.forEach(
        report ->
            charts.add(chart(report, AttentionMeasurement.SGEMM, "times OpenBLAS sgemm's speed")));
    if (!charts.isEmpty()) {
      String file = folder.resolve(file()).toString();
      BitmapEncoder.saveBitmap(charts, 2, reports.size(), file, BitmapFormat.PNG);
    }
    return !charts.isEmpty();
  }

  private CategoryChart chart(Report report, String ratio, String title) {
    String isa = report.isa().toUpperCase(Locale.ROOT).replace("AVX512", "AVX-512");
    CategoryChart chart =
        new CategoryChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title("%s by Fovea, %s: %s".formatted(what, isa, title))
            .xAxisTitle("sequence length / head dim; float32, BHSD, one thread")
            .build();
    style(chart.getStyler());
    series(chart, report, ratio, "full");
    series(chart, report, ratio, "causal");
    chart.addAnnotation(new AnnotationLine(1, false, false));
    // Room for the legend above the bars.
    double highest =
        report.rows().stream()
            .filter(RatioPlot::shows)
            .mapToDouble(row -> row.ratios().get(ratio))
            .max()
            .orElse(1);
    chart.getStyler().setYAxisMax(1.25 * Math.max(1, highest));
    return chart;
  }

  private static void series(CategoryChart chart, Report report, String ratio, String mask) {
    List<Row> rows =
        report.rows().stream()
            .filter(RatioPlot::shows)
            .filter(row -> row.is("mask", mask))
            .toList();
    if (!rows.isEmpty()) {
      CategorySeries series =
          chart.addSeries(
              mask,
              rows.stream()
                  .map(
                      row ->
                          "%s / %s"
                              .formatted(
                                  row.parameters().get("sequence"),
                                  row.parameters().get("headDim")))
                  .toList(),
              rows.stream().map(row -> row.ratios().get(ratio)).toList());
      series.setFillColor(COLORS[mask.equals("full") ? 0 : 1]);
    }
  }

  private static void style(CategoryStyler styler) {
    styler.setDefaultSeriesRenderStyle(CategorySeries.CategorySeriesRenderStyle.Bar);
    styler.setAvailableSpaceFill(0.75);
    styler.setLabelsVisible(true);
    styler.setLabelsPosition(1.06);
    styler.setLabelsFont(new Font(Font.SANS_SERIF, Font.PLAIN, 11));
    styler.setLabelsFontColor(INK);
    styler.setLabelsFontColorAutomaticEnabled(false);
    styler.setLegendPosition(LegendPosition.InsideNE);
    styler.setLegendLayout(LegendLayout.Horizontal);
    styler.setLegendBorderColor(Color.WHITE);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setPlotBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setPlotGridVerticalLinesVisible(false);
    styler.setPlotGridLinesColor(GRID);
    styler.setYAxisMin(0.0);
    styler.setYAxisDecimalPattern("0.00");
    styler.setAnnotationLineColor(INK);
    styler.setAnnotationLineStroke(new BasicStroke(1.2f));
  }
}

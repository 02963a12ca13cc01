package dev.panatune.train.callback;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.util.List;
import java.util.Optional;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler.LegendPosition;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The losses of a log as a chart: what it shows and how it looks. */
final class LossChart {
  private static final Color INK = new Color(0x33, 0x3A, 0x45);
  private static final Color GRID = new Color(0xE4, 0xE8, 0xEE);
  private static final Color TRAINING = new Color(0x3B, 0x7D, 0xD8);
  private static final Color EVALUATION = new Color(0xE0, 0x6C, 0x1F);
  private static final int WIDTH = 800;
  private static final int HEIGHT = 450;

  private LossChart() {}

  /** The chart; empty where the log has no loss. */
  static Optional<XYChart> of(String title, List<LogEntry> history) {
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(title)
            .xAxisTitle("step")
            .yAxisTitle("loss (nats per token)")
            .build();
    style(chart.getStyler());
    add(chart, "training", "loss", TRAINING, SeriesMarkers.NONE, history);
    add(chart, "evaluation", "eval_loss", EVALUATION, SeriesMarkers.CIRCLE, history);
    if (chart.getSeriesCollection().isEmpty()) {
      return Optional.empty();
    }
    return Optional.of(chart);
  }

  private static void add(
      XYChart chart, String name, String key, Color color, Marker marker, List<LogEntry> history) {
    List<LogEntry> entries = history.stream().filter(e -> e.value(key).isPresent()).toList();
    if (entries.isEmpty()) {
      return;
    }
    List<Integer> steps = entries.stream().map(LogEntry::step).toList();
    List<Double> losses = entries.stream().map(e -> e.value(key).getAsDouble()).toList();
    XYSeries series = chart.addSeries(name, steps, losses);
    series
        .setLineColor(color)
        .setLineStyle(new BasicStroke(1.6f, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
    // A curve of one point has no line: its marker is all there is to see.
    series.setMarker(entries.size() == 1 ? SeriesMarkers.CIRCLE : marker).setMarkerColor(color);
  }

  private static void style(XYStyler styler) {
    Font plain = new Font(Font.SANS_SERIF, Font.PLAIN, 13);
    styler.setChartBackgroundColor(Color.WHITE);
    styler.setChartFontColor(INK);
    styler.setChartTitleFont(new Font(Font.SANS_SERIF, Font.BOLD, 15));
    styler.setChartTitlePadding(10);
    styler.setChartPadding(16);
    styler.setPlotBackgroundColor(Color.WHITE);
    styler.setPlotBorderVisible(false);
    styler.setPlotContentSize(0.97);
    styler.setPlotMargin(0);
    styler.setXAxisMaxLabelCount(13);
    styler.setYAxisTickMarkSpacingHint(50);
    styler.setPlotGridLinesColor(GRID);
    styler.setPlotGridLinesStroke(new BasicStroke(1f));
    styler.setPlotGridVerticalLinesVisible(false);
    styler.setPlotTicksMarksVisible(false);
    styler.setAxisTitleFont(plain);
    styler.setAxisTickLabelsFont(plain.deriveFont(12f));
    styler.setAxisTickLabelsColor(INK);
    styler.setAxisTickMarksColor(GRID);
    styler.setAxisTicksMarksVisible(false);
    styler.setXAxisDecimalPattern("0");
    styler.setYAxisDecimalPattern("0.0##");
    styler.setLegendPosition(LegendPosition.InsideNE);
    styler.setLegendFont(plain);
    styler.setLegendBorderColor(Color.WHITE);
    styler.setLegendSeriesLineLength(22);
    styler.setMarkerSize(6);
    styler.setAntiAlias(true);
  }
}

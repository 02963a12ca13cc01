package dev.panatune.train.callback;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.StringJoiner;

/**
 * Shows how a run goes on: on a terminal one line that is drawn anew, elsewhere a plain line for
 * every entry of the log.
 */
public final class ProgressBar implements TrainerCallback {
  private static final int WIDTH = 24;
  private static final String EIGHTHS = " ▏▎▍▌▋▊▉";

  private final PrintStream out;
  private final boolean terminal;
  private int drawn;

  /**
   * A bar on {@code out}.
   *
   * @param terminal whether a line can be drawn over
   */
  public ProgressBar(PrintStream out, boolean terminal) {
    this.out = out;
    this.terminal = terminal;
  }

  /** A bar on standard error. */
  public static ProgressBar onStandardError() {
    return new ProgressBar(System.err, isTerminal(Path.of("/proc/self/fd/2")));
  }

  @Override
  public void onTrainBegin(TrainingProgress progress) {
    if (terminal) {
      draw(bar(progress));
    } else if (progress.step() > 0) {
      line("going on after step %d of %d".formatted(progress.step(), progress.maxSteps()));
    }
  }

  @Override
  public void onStepEnd(TrainingProgress progress) {
    if (terminal) {
      draw(bar(progress));
    }
  }

  @Override
  public void onEvaluationBegin(TrainingProgress progress) {
    if (terminal) {
      draw(bar(progress) + " evaluating");
    }
  }

  @Override
  public void onLog(TrainingProgress progress, LogEntry entry) {
    boolean evaluation = entry.value("eval_loss").isPresent();
    if (terminal && !evaluation) {
      return;
    }
    line(plain(progress, entry));
    if (terminal) {
      draw(bar(progress));
    }
  }

  @Override
  public void onMessage(String message) {
    line(message);
  }

  @Override
  public void onTrainEnd(TrainingProgress progress) {
    if (terminal) {
      draw(bar(progress));
      out.println();
      out.flush();
      drawn = 0;
    }
  }

  private static String bar(TrainingProgress progress) {
    StringJoiner text = new StringJoiner(" ");
    text.add("%3d%%".formatted(100L * progress.step() / progress.maxSteps()));
    text.add("▕" + blocks((double) progress.step() / progress.maxSteps()) + "▏");
    text.add("%d/%d".formatted(progress.step(), progress.maxSteps()));
    text.add(
        "%s<%s".formatted(clock(progress.trainingNanos() / 1e9), clock(secondsLeft(progress))));
    if (!Double.isNaN(progress.loss())) {
      text.add("loss %.4f".formatted(progress.loss()));
      text.add("lr " + scientific(progress.learningRate()));
      text.add("%.0f tok/s".formatted(progress.tokensPerSecond()));
    }
    return text.toString();
  }

  private static String plain(TrainingProgress progress, LogEntry entry) {
    StringJoiner text = new StringJoiner("  ");
    text.add("step %d/%d".formatted(entry.step(), progress.maxSteps()));
    text.add("epoch %.2f".formatted(entry.epoch()));
    for (Map.Entry<String, Double> value : entry.values().entrySet()) {
      text.add(value.getKey() + " " + number(value.getKey(), value.getValue()));
    }
    OptionalDouble loss = entry.value("loss");
    if (loss.isPresent()) {
      text.add("%.0f tok/s".formatted(progress.tokensPerSecond()));
      text.add("left " + clock(secondsLeft(progress)));
    }
    return text.toString();
  }

  private static String number(String key, double value) {
    if (key.equals("learning_rate")) {
      return scientific(value);
    }
    boolean whole = value == Math.rint(value) && Math.abs(value) >= 1000;
    return String.format(Locale.ROOT, whole ? "%.0f" : "%.4f", value);
  }

  private static String scientific(double value) {
    return String.format(Locale.ROOT, "%.2e", value);
  }

  private static double secondsLeft(TrainingProgress progress) {
    return progress.step() == progress.maxSteps() ? 0 : progress.secondsLeft();
  }

  private static String clock(double seconds) {
    if (Double.isNaN(seconds)) {
      return "?";
    }
    long whole = Math.round(seconds);
    String minutes = "%02d:%02d".formatted(whole / 60 % 60, whole % 60);
    return whole < 3600 ? minutes : whole / 3600 + ":" + minutes;
  }

  private static String blocks(double share) {
    int eighths = (int) Math.round(share * WIDTH * 8);
    String full = "█".repeat(eighths / 8);
    String part = eighths % 8 == 0 ? "" : EIGHTHS.substring(eighths % 8, eighths % 8 + 1);
    return (full + part + " ".repeat(WIDTH)).substring(0, WIDTH);
  }

  private void draw(String text) {
    int length = text.codePointCount(0, text.length());
    out.print("\r" + text + " ".repeat(Math.max(0, drawn - length)));
    out.flush();
    drawn = length;
  }

  private void line(String text) {
    if (drawn > 0) {
      out.print("\r" + " ".repeat(drawn) + "\r");
      drawn = 0;
    }
    out.println(text);
    out.flush();
  }

  /** System.console() tells of the standard input and output, not of the error stream. */
  private static boolean isTerminal(Path descriptor) {
    try {
      String target = Files.readSymbolicLink(descriptor).toString();
      return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty");
    } catch (IOException | UnsupportedOperationException e) {
      return System.console() != null && System.console().isTerminal();
    }
  }
}

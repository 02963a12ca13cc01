package dev.panatune.eval;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/**
 * What an evaluation of a classifier found.
 *
 * @param loss mean over all texts, in nats
 * @param confusion how often texts of class i were taken for class j, at [i][j]
 * @param tokens of the texts
 * @param seconds how long it took
 */
public record ClassificationResult(double loss, long[][] confusion, long tokens, double seconds)
    implements Evaluation {

  @Override
  public int examples() {
    long sum = 0;
    for (long[] row : confusion) {
      for (long count : row) {
        sum += count;
      }
    }
    return Math.toIntExact(sum);
  }

  /** The part of the texts whose class was found. */
  public double accuracy() {
    long right = 0;
    for (int i = 0; i < confusion.length; i++) {
      right += confusion[i][i];
    }
    return (double) right / examples();
  }

  /**
   * The unweighted mean of the classes' F1, over those classes that a text has or was taken for, as
   * scikit-learn's {@code f1_score(average="macro")}.
   */
  public double macroF1() {
    double sum = 0;
    int classes = 0;
    for (int k = 0; k < confusion.length; k++) {
      long actual = 0;
      long taken = 0;
      for (int other = 0; other < confusion.length; other++) {
        actual += confusion[k][other];
        taken += confusion[other][k];
      }
      if (actual + taken > 0) {
        sum += 2.0 * confusion[k][k] / (actual + taken);
        classes++;
      }
    }
    return sum / classes;
  }

  /** {@code loss}, {@code accuracy}, {@code macro_f1}. */
  @Override
  public SequencedMap<String, Double> metrics() {
    SequencedMap<String, Double> metrics = new LinkedHashMap<>();
    metrics.put("loss", loss);
    metrics.put("accuracy", accuracy());
    metrics.put("macro_f1", macroF1());
    return metrics;
  }
}

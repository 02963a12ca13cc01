package dev.panatune.run;

import dev.panatune.data.Row;
import dev.panatune.data.RowReader;
import dev.panatune.data.RowSplit;
import java.util.ArrayList;
import java.util.List;

/**
 * The rows of a run.
 *
 * @param train to train on
 * @param eval to evaluate on; may be empty
 */
record Datasets(List<Row> train, List<Row> eval) {

  /** Reads all files, and holds out rows where a split is asked for. */
  static Datasets read(DataSection data, long seed) {
    List<Row> train = read(data.train());
    if (data.validationSplit() > 0) {
      RowSplit split = RowSplit.holdOut(train, data.validationSplit(), seed);
      return new Datasets(split.train(), split.validation());
    }
    return new Datasets(train, read(data.eval()));
  }

  private static List<Row> read(List<DataSection.Source> sources) {
    List<Row> rows = new ArrayList<>();
    sources.forEach(source -> rows.addAll(RowReader.read(source.path(), source.format())));
    return rows;
  }
}

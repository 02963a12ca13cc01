package dev.panatune.run;

import dev.panatune.data.DataFormat;
import dev.panatune.error.ConfigurationException;
import dev.panatune.peft.TaskType;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The rows of a run.
 *
 * @param train files to train on, one after the other
 * @param eval files to evaluate on; may be empty
 * @param validationSplit the part (below 1) or number of training rows to evaluate on instead; 0
 *     for none
 * @param maxLength tokens that a row may have; what is beyond is cut
 * @param packing whether rows are put together to rows of up to {@code maxLength} tokens for
 *     training
 * @param evalPacking the same for evaluation
 */
public record DataSection(
    List<Source> train,
    List<Source> eval,
    double validationSplit,
    int maxLength,
    boolean packing,
    boolean evalPacking) {
  private static final int DEFAULT_MAX_LENGTH = 1024;

  /**
   * One file of rows.
   *
   * @param path an existing file
   * @param format the rows' format; empty to go by the first row
   */
  public record Source(Path path, Optional<DataFormat> format) {}

  /**
   * Reads the section; relative paths are looked for beside the run file first, then in the working
   * directory.
   */
  static DataSection read(Section section, Path runDirectory, TaskType task) {
    section
        .alias("max_seq_length", "max_length")
        .alias("cutoff_len", "max_length")
        .alias("validation", "eval")
        .alias("test", "eval");
    section.refuse("packing_strategy", "whole rows are packed, each where it fits best", "bfd");
    section.refuse("padding_free", "packing: true leaves little padding, and says so", false);
    section.refuse("assistant_only_loss", "only answers are learnt", true);
    section.refuse("completion_only_loss", "only completions are learnt", true);
    section.refuse("streaming", "the rows are read into memory", false);
    section.refuse("truncation_mode", "rows are cut at the right", "keep_start");
    List<Source> train = sources(section, "train", runDirectory, task);
    List<Source> eval = sources(section, "eval", runDirectory, task);
    double validationSplit = section.number("validation_split", 0);
    int maxLength = (int) section.integer("max_length", 2, DEFAULT_MAX_LENGTH);
    boolean packing = section.bool("packing", false);
    boolean evalPacking = section.bool("eval_packing", packing);
    section.finish();
    if (task == TaskType.SEQ_CLS && (packing || evalPacking)) {
      throw new ConfigurationException(
          section.at(packing ? "packing" : "eval_packing")
              + ": true is not supported: a classifier tells one class a row");
    }
    if (train.isEmpty()) {
      throw new ConfigurationException(
          section.at("train") + " is missing: a JSONL file, or a list of {path, format}");
    }
    if (validationSplit < 0) {
      throw new ConfigurationException(
          "%s is %s; it is a part below 1 or a number of rows"
              .formatted(section.at("validation_split"), validationSplit));
    }
    if (validationSplit > 0 && !eval.isEmpty()) {
      throw new ConfigurationException(
          "%s and %s both say what to evaluate on; keep one"
              .formatted(section.at("eval"), section.at("validation_split")));
    }
    return new DataSection(
        List.copyOf(train), List.copyOf(eval), validationSplit, maxLength, packing, evalPacking);
  }

  private static List<Source> sources(
      Section section, String key, Path runDirectory, TaskType task) {
    List<Source> sources = new ArrayList<>();
    List<Map<String, Object>> resolved = new ArrayList<>();
    List<?> entries = section.list(key);
    for (int i = 0; i < entries.size(); i++) {
      String at = section.at(key) + "[" + i + "]";
      Section entry =
          Section.of(
              at, entries.get(i) instanceof String path ? Map.of("path", path) : entries.get(i));
      Source source = source(entry, runDirectory, task);
      sources.add(source);
      Map<String, Object> values = new LinkedHashMap<>();
      values.put("path", source.path().toString());
      values.put("format", source.format().map(DataFormat::label).orElse("auto"));
      resolved.add(values);
    }
    section.resolve(key, resolved);
    return sources;
  }

  private static Source source(Section entry, Path runDirectory, TaskType task) {
    entry.refuse("split", "a file is one split; name the file");
    entry.refuse("weight", "every row counts once");
    String path =
        entry
            .string("path")
            .orElseThrow(() -> new ConfigurationException(entry.at("path") + " is missing"));
    Optional<DataFormat> format = format(entry, task);
    entry.finish();
    return new Source(existing(entry.at("path"), path, runDirectory), format);
  }

  /** A classifier's rows are texts with labels, and nobody else's are. */
  private static Optional<DataFormat> format(Section entry, TaskType task) {
    Optional<DataFormat> format = DataFormat.parse(entry.string("format", "auto"));
    boolean classifies = task == TaskType.SEQ_CLS;
    if (format.isPresent() && classifies != (format.get() == DataFormat.CLASSIFICATION)) {
      throw new ConfigurationException(
          "%s is %s, and task_type is %s; rows of texts and labels (classification) are for SEQ_CLS"
              .formatted(entry.at("format"), format.get().label(), task));
    }
    return classifies ? Optional.of(DataFormat.CLASSIFICATION) : format;
  }

  private static Path existing(String key, String path, Path runDirectory) {
    try {
      Path beside = runDirectory.resolve(path);
      Path here = Path.of(path);
      if (Files.isRegularFile(beside)) {
        return beside.toAbsolutePath().normalize();
      }
      if (Files.isRegularFile(here)) {
        return here.toAbsolutePath().normalize();
      }
      throw new ConfigurationException(
          "%s: no file %s, neither beside the run file nor in the working directory"
              .formatted(key, path));
    } catch (InvalidPathException e) {
      throw new ConfigurationException("%s: '%s' is not a path".formatted(key, path), e);
    }
  }
}

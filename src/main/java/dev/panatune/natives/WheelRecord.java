package dev.panatune.natives;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;

/**
 * The list of files, sizes and hashes that a wheel carries and that stays where it was installed.
 *
 * @param files by their paths below the folder that it was installed into
 */
record WheelRecord(Map<String, RecordedFile> files) {
  private static final int COLUMNS = 3;

  /**
   * One file.
   *
   * @param sha256 URL-safe base64 without padding
   * @param size in bytes
   */
  record RecordedFile(String sha256, long size) {}

  WheelRecord {
    files = Map.copyOf(files);
  }

  /** Reads the records of every wheel that was installed into the folder under one of the names. */
  static WheelRecord read(Path site, String... packages) throws IOException {
    Map<String, RecordedFile> files = new HashMap<>();
    for (String name : packages) {
      try (DirectoryStream<Path> infos =
          Files.newDirectoryStream(site, name.replace('-', '_') + "-*.dist-info")) {
        for (Path info : infos) {
          Path record = info.resolve("RECORD");
          if (Files.isRegularFile(record)) {
            parse(Files.readString(record), files);
          }
        }
      }
    }
    return new WheelRecord(files);
  }

  private static void parse(String text, Map<String, RecordedFile> files) {
    text.lines()
        .map(line -> line.split(","))
        .filter(columns -> columns.length == COLUMNS && columns[1].startsWith("sha256="))
        .filter(columns -> Arrays.stream(columns).noneMatch(String::isEmpty))
        .forEach(columns ->
            files.put(
                columns[0],
                new RecordedFile(
                    columns[1].substring("sha256=".length()), Long.parseLong(columns[2]))));
  }

  /** What the record says of a file, by its path below the folder of installation. */
  Optional<RecordedFile> of(Path relative) {
    return Optional.ofNullable(files.get(relative.toString()));
  }
}

package dev.panatune.data;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.error.FormatException;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * Reads JSONL: UTF-8, one object a line, blank lines skipped, a byte order mark accepted.
 *
 * <p>Keys that the format does not know are other columns of the data set and are left alone.
 */
public final class RowReader {
  private static final JsonMapper JSON =
      JsonMapper.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private final Path file;
  private Optional<RowParser> parser;

  private RowReader(Path file, Optional<DataFormat> format) {
    this.file = file;
    this.parser = format.map(RowParser::of);
  }

  /** The rows of a file, in its order; the first row decides which format all of them have. */
  public static List<Row> read(Path file) {
    return read(file, Optional.empty());
  }

  /**
   * The rows of a file, in its order.
   *
   * @param format the format of every row; if none is given the first row decides for all
   * @throws FormatException if the file cannot be read, has no row, or a row is not of the format
   *     or has no answer; the message names file, line and key
   */
  public static List<Row> read(Path file, Optional<DataFormat> format) {
    return new RowReader(file, format).rows();
  }

  private List<Row> rows() {
    List<Row> rows = new ArrayList<>();
    try (InputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16)) {
      int number = 0;
      for (Optional<byte[]> line = line(in); line.isPresent(); line = line(in)) {
        number++;
        String text = decode(line.get(), number);
        if (!text.isBlank()) {
          rows.add(row(text, number));
        }
      }
    } catch (NoSuchFileException e) {
      throw new FormatException("no data file at " + file, e);
    } catch (IOException e) {
      throw new FormatException("cannot read %s: %s".formatted(file, e.getMessage()), e);
    }
    if (rows.isEmpty()) {
      throw new FormatException(
          file + " has no rows; a data set needs at least one JSON object, one a line");
    }
    return rows;
  }

  private Row row(String text, int line) {
    JsonNode node;
    try {
      node = JSON.readTree(text);
    } catch (JsonProcessingException e) {
      String hint =
          line == 1 && text.strip().equals("[")
              ? "; the file looks like one JSON array, but each line must be an object of its own"
              : "";
      throw error(line, "not valid JSON: " + firstLine(e.getOriginalMessage()) + hint, e);
    }
    if (!node.isObject()) {
      throw error(line, "a row is a JSON object, not " + RowParser.kind(node), null);
    }
    try {
      if (parser.isEmpty()) {
        parser = Optional.of(RowParser.detect(node));
      }
      return parser.get().parse(node);
    } catch (RowParser.BadRow e) {
      throw error(line, e.getMessage(), null);
    }
  }

  private String decode(byte[] line, int number) {
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
      return number == 1 && text.startsWith("\uFEFF") ? text.substring(1) : text;
    } catch (CharacterCodingException e) {
      throw error(number, "not valid UTF-8; convert the file to UTF-8", e);
    }
  }

  private FormatException error(int line, String what, Exception cause) {
    return new FormatException("%s, line %d: %s".formatted(file, line, what), cause);
  }

  /** The bytes up to the next line feed or the end; none after the last. */
  private static Optional<byte[]> line(InputStream in) throws IOException {
    int next = in.read();
    if (next < 0) {
      return Optional.empty();
    }
    ByteArrayOutputStream line = new ByteArrayOutputStream(256);
    for (; next >= 0 && next != '\n'; next = in.read()) {
      line.write(next);
    }
    return Optional.of(line.toByteArray());
  }

  private static String firstLine(String message) {
    return message.lines().findFirst().orElse("");
  }
}

package dev.panatune.format;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.type.TypeReference;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.util.Map;

/**
 * Reads the small JSON documents that lie beside weights ({@code config.json}, {@code
 * adapter_config.json}, ...), which come from outside: malformed UTF-8, duplicate keys, trailing
 * text and documents over a size are refused. {@code NaN} and {@code Infinity} are read, because
 * Python writes them.
 */
public final class StrictJson {
  /** More than any configuration needs; what it parses to fits into a heap of 256 MB. */
  private static final long LARGEST = 4L << 20;

  private static final ObjectMapper MAPPER =
      JsonMapper.builder(
              JsonFactory.builder()
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
                  .build())
          .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .build();

  private static final TypeReference<Map<String, Object>> OBJECT = new TypeReference<>() {};

  private StrictJson() {}

  /**
   * Reads a file that holds one JSON object of at most 4 MiB.
   *
   * @return the members in file order; values are {@code String}, {@code Integer}, {@code Long},
   *     {@code BigInteger}, {@code Double}, {@code Boolean}, {@code List}, {@code Map} or null
   * @throws FormatException if it is missing or is anything else
   */
  public static Map<String, Object> readObject(Path file) {
    try (RegularFile source = RegularFile.open(file)) {
      if (source.size() > LARGEST) {
        throw new FormatException(
            Printable.path(file)
                + " has "
                + source.size()
                + " bytes; a configuration has at most "
                + LARGEST);
      }
      byte[] bytes = new byte[(int) source.size()];
      source.read(ByteBuffer.wrap(bytes), 0);
      return parseObject(StrictUtf8.decode(bytes), Printable.path(file));
    } catch (CharacterCodingException e) {
      throw new FormatException(Printable.path(file) + " is not UTF-8 text", e);
    }
  }

  /**
   * Parses text that is one JSON object.
   *
   * @param source what the text is, for the message of an error
   * @return as {@link #readObject}
   * @throws FormatException if it is anything else
   */
  public static Map<String, Object> parseObject(String text, String source) {
    try (JsonParser parser = MAPPER.createParser(text)) {
      if (parser.nextToken() != JsonToken.START_OBJECT) {
        throw new FormatException(source + " must hold a JSON object ({...})");
      }
      return MAPPER.readValue(parser, OBJECT);
    } catch (JsonProcessingException e) {
      throw new FormatException(source + " is not valid JSON: " + explain(e), e);
    } catch (IOException e) {
      throw new FormatException(source + " cannot be read: " + e.getMessage(), e);
    }
  }

  /** Returns the parser's complaint with its place, without the text around it. */
  static String explain(JsonProcessingException e) {
    String place =
        e.getLocation() == null
            ? ""
            : " (line "
                + e.getLocation().getLineNr()
                + ", column "
                + e.getLocation().getColumnNr()
                + ")";
    return e.getOriginalMessage() + place;
  }
}

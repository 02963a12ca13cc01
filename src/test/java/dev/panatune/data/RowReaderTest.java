package dev.panatune.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Row.ChatRow;
import dev.panatune.data.Row.InstructionRow;
import dev.panatune.data.Row.PromptCompletionRow;
import dev.panatune.data.Row.TextRow;
import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import dev.panatune.text.Message;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RowReaderTest {
  private static final String GOOD = "{\"instruction\": \"a\", \"output\": \"b\"}";

  @TempDir Path directory;

  private Path file(String... lines) throws IOException {
    return Files.writeString(directory.resolve("rows.jsonl"), String.join("\n", lines));
  }

  private List<Row> read(String... lines) throws IOException {
    return RowReader.read(file(lines), Optional.empty());
  }

  private String failure(String... lines) throws IOException {
    Path file = file(lines);
    String message =
        assertThrows(FormatException.class, () -> RowReader.read(file, Optional.empty()))
            .getMessage();
    assertTrue(message.contains(file.toString()), message);
    return message;
  }

  @Test
  void everyFormatIsRecognised() throws IOException {
    assertEquals(
        List.of(new InstructionRow("a", "", "b"), new InstructionRow("a", "c", "b")),
        read(GOOD, "{\"output\": \"b\", \"input\": \"c\", \"instruction\": \"a\", \"id\": 7}"));
    assertEquals(
        List.of(new ChatRow(List.of(new Message("user", "a"), new Message("assistant", "b")))),
        read(
            """
            {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}\
            """));
    assertEquals(
        List.of(new PromptCompletionRow("a ", "b")),
        read("{\"prompt\": \"a \", \"completion\": \"b\"}"));
    assertEquals(List.of(new TextRow("a")), read("{\"text\": \"a\"}"));
  }

  @Test
  void aStatedFormatIsNotGuessed() throws IOException {
    Path file = file("{\"instruction\": \"a\", \"output\": \"b\", \"text\": \"c\"}");
    assertEquals(List.of(new TextRow("c")), RowReader.read(file, DataFormat.parse("text")));
    assertEquals(Optional.of(DataFormat.PROMPT_COMPLETION), DataFormat.parse("prompt_completion"));
    assertTrue(
        assertThrows(ConfigurationException.class, () -> DataFormat.parse("chta"))
            .getMessage()
            .contains("did you mean chat?"));
  }

  @Test
  void byteOrderMarkBlankLinesAndCarriageReturnsAreHarmless() throws IOException {
    assertEquals(
        List.of(new InstructionRow("a", "", "b"), new InstructionRow("ä\u2028", "", "🌍")),
        read(
            "\uFEFF" + GOOD + "\r", "", "  ", "{\"instruction\":\"ä\u2028\",\"output\":\"🌍\"}\n"));
  }

  @Test
  void aBlankOrMissingAnswerIsAnErrorThatNamesTheKey() throws IOException {
    assertTrue(
        failure(GOOD, "{\"instruction\": \"a\"}")
            .endsWith(
                "line 2: the row has no answer: key 'output' is missing; the row has"
                    + " [instruction]"));
    assertTrue(
        failure("{\"instruction\": \"a\", \"output\": \" \"}")
            .endsWith("line 1: the row has no answer: key 'output' is empty"));
    assertTrue(failure("{\"instruction\": \"a\", \"output\": null}").contains("has no answer"));
    assertTrue(failure("{\"prompt\": \"a\", \"completion\": \"\"}").contains("'completion'"));
    assertTrue(failure("{\"text\": \"\"}").contains("'text' is empty"));
    assertTrue(
        failure("{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}")
            .contains("no message of role 'assistant'"));
  }

  @Test
  void aMisspeltKeyIsSuggested() throws IOException {
    assertTrue(failure(GOOD, "{\"instruction\": \"a\", \"ouptut\": \"b\"}").contains("'ouptut'"));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'instruction': 5, 'output': 'b'}|key 'instruction' is a number, not a string",
        "{'instruction': 'a', 'input': ['x'], 'output': 'b'}|key 'input' is an array, not a string",
        "{'messages': 'a'}|key 'messages' is a string, not a list",
        "{'messages': ['a']}|messages[0] is a string, not an object",
        "{'messages': [{'role': 'user'}]}|messages[0]: key 'content' is missing",
        "{'messages': [{'role': 'user', 'content': 'a', 'tool_calls': [1]}]}|not supported yet",
        "{'question': 'a'}|cannot tell the format from the keys [question]",
        "[1]|a row is a JSON object, not an array",
        "{'text': 'a'|not valid JSON",
        "{'text': 'a'} {'text': 'b'}|not valid JSON",
        "{'text': 'a', 'text': 'b'}|Duplicate field 'text'",
      })
  void whatIsNotARowIsNamedWithItsLine(String row, String expected) throws IOException {
    String message = failure("", row.replace('\'', '"'));
    assertTrue(message.contains("line 2: "), message);
    assertTrue(message.contains(expected), message);
    assertEquals(1, message.lines().count());
  }

  @Test
  void brokenUtf8IsNamedWithItsLine() throws IOException {
    byte[] row = "\n{\"text\": \"caf\u00e9\"}".getBytes(StandardCharsets.ISO_8859_1);
    Path file = Files.write(directory.resolve("latin1.jsonl"), row);
    FormatException failure =
        assertThrows(FormatException.class, () -> RowReader.read(file, Optional.empty()));
    assertTrue(failure.getMessage().contains("line 2: not valid UTF-8"), failure.getMessage());
  }

  @Test
  void anEmptyAMissingAndAWholeArrayFileAreNamed() throws IOException {
    assertTrue(failure("", "").contains("has no rows"));
    assertTrue(failure("[", GOOD + ",").contains("each line must be an object"));
    Path none = directory.resolve("none.jsonl");
    assertTrue(
        assertThrows(FormatException.class, () -> RowReader.read(none, Optional.empty()))
            .getMessage()
            .contains("no data file at " + none));
  }
}

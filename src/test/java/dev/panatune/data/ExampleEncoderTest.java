package dev.panatune.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.data.Row.ChatRow;
import dev.panatune.data.Row.InstructionRow;
import dev.panatune.data.Row.PromptCompletionRow;
import dev.panatune.data.Row.TextRow;
import dev.panatune.error.FormatException;
import dev.panatune.text.Message;
import dev.panatune.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ExampleEncoderTest {
  @TempDir Path directory;
  private Tokenizer tokenizer;

  @BeforeEach
  void open() throws IOException {
    tokenizer = Tokenizer.fromFile(ByteTokenizer.save(directory));
  }

  @AfterEach
  void close() {
    tokenizer.close();
  }

  private EncodedDataset encode(int maxLength, Row... rows) {
    return ExampleEncoder.of(tokenizer, maxLength).encode("rows.jsonl", List.of(rows));
  }

  private String text(Example example) {
    return tokenizer.decode(example.ids(), false);
  }

  /** The text of the tokens that are learnt. */
  private String learnt(Example example) {
    int[] ids =
        IntStream.range(1, example.length())
            .map(i -> example.labels()[i])
            .filter(label -> label != Example.IGNORED)
            .toArray();
    assertEquals(ids.length, example.targetTokens());
    return tokenizer.decode(ids, false);
  }

  @Test
  void ofAnInstructionTheOutputIsLearntThroughTheEndOfTurn() {
    EncodedDataset dataset =
        encode(99, new InstructionRow("Do", "it", "Done."), new InstructionRow("Do", "", "No"));
    Example first = dataset.examples().get(0);
    assertEquals(
        "<|im_start|>user\nDo\n\nit<|im_end|>\n<|im_start|>assistant\nDone.<|im_end|>\n",
        text(first));
    assertEquals("Done.<|im_end|>", learnt(first));
    assertEquals(
        "<|im_start|>user\nDo<|im_end|>\n<|im_start|>assistant\nNo<|im_end|>\n",
        text(dataset.examples().get(1)));
  }

  @Test
  void ofAChatEveryAnswerIsLearnt() {
    List<Message> messages =
        List.of(
            Message.system("Be."),
            Message.user("a"),
            Message.assistant("b"),
            Message.user("c"),
            Message.assistant("d"));
    Example example = encode(199, new ChatRow(messages)).examples().getFirst();
    assertEquals("b<|im_end|>d<|im_end|>", learnt(example));
  }

  @Test
  void ofAPromptTheCompletionIsLearntWithTheEndToken() {
    Example example = encode(99, new PromptCompletionRow("One, ", "two")).examples().getFirst();
    assertEquals("One, two<|im_end|>", text(example));
    assertEquals("two<|im_end|>", learnt(example));
  }

  @Test
  void ofATextAllButTheFirstTokenIsLearnt() {
    Example example = encode(99, new TextRow("word")).examples().getFirst();
    assertEquals("word", text(example));
    assertEquals("ord", learnt(example));
  }

  @Test
  void whatIsTooLongIsCutAtTheRightAndCounted() {
    EncodedDataset dataset = encode(3, new TextRow("abcdef"), new TextRow("xyz"));
    assertEquals("abc", text(dataset.examples().get(0)));
    assertEquals(new EncodingReport(2, 1, 0, 6, 4, 6, 3), dataset.report());
    assertTrue(
        dataset.report().summary().contains("1 of 2 cut to max_length 3"),
        dataset.report().summary());
  }

  @Test
  void aRowLeftWithNothingToLearnIsDroppedAndCounted() {
    EncodedDataset dataset =
        encode(8, new TextRow("abc"), new PromptCompletionRow("longer than 8", "x"));
    assertEquals(1, dataset.examples().size());
    assertEquals(new EncodingReport(2, 1, 1, 3, 2, 15, 8), dataset.report());
    assertTrue(dataset.report().summary().contains("1 dropped"), dataset.report().summary());
  }

  @Test
  void noRowsAndNothingLeftToLearnAreErrors() {
    assertThrows(FormatException.class, () -> encode(9));
    String message =
        assertThrows(FormatException.class, () -> encode(4, new InstructionRow("a", "", "b")))
            .getMessage();
    assertTrue(message.startsWith("rows.jsonl: none of the 1 rows"), message);
    assertTrue(message.contains("raise max_length"), message);
  }

  @Test
  void longTextsAreNotCutByTheTokenizer() {
    String text = "0123456789".repeat(500);
    Example example = encode(9999, new TextRow(text)).examples().getFirst();
    assertEquals(5000, example.length());
    assertEquals(4999, example.targetTokens());
  }
}

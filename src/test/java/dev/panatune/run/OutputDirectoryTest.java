package dev.panatune.run;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class OutputDirectoryTest {
  @TempDir Path directory;

  @Test
  void aNewOrEmptyDirectoryIsMadeAndLeftEmpty() throws IOException {
    Path output = directory.resolve("a/b");
    OutputDirectory.prepare(output, false, false);
    OutputDirectory.prepare(output, false, false);
    try (var entries = Files.list(output)) {
      assertEquals(0, entries.count());
    }
  }

  @Test
  void aFullDirectoryIsRefusedUnlessItIsResumedOrReplaced() throws IOException {
    Path notes = Files.writeString(directory.resolve("notes.txt"), "mine");
    Path log = Files.writeString(directory.resolve("trainer_log.jsonl"), "{}");
    Path checkpoint = Files.createDirectory(directory.resolve("checkpoint-5"));
    Files.writeString(checkpoint.resolve("state"), "x");
    String message =
        assertThrows(
                ConfigurationException.class,
                () -> OutputDirectory.prepare(directory, false, false))
            .getMessage();
    assertTrue(message.contains("--resume auto"), message);
    assertTrue(message.contains("overwrite_output_dir"), message);

    OutputDirectory.prepare(directory, false, true);
    assertTrue(Files.exists(log) && Files.exists(checkpoint));

    OutputDirectory.prepare(directory, true, false);
    assertFalse(Files.exists(log) || Files.exists(checkpoint));
    assertEquals("mine", Files.readString(notes));
  }

  @Test
  void whatCannotBeWrittenToIsNamedBeforeAnyWork() throws IOException {
    Path file = Files.writeString(directory.resolve("file"), "");
    assertThrows(ConfigurationException.class, () -> OutputDirectory.prepare(file, false, false));
    Path under = file.resolve("out");
    assertTrue(
        assertThrows(PanatuneException.class, () -> OutputDirectory.prepare(under, false, false))
            .getMessage()
            .contains("cannot write to output_dir " + under));
  }
}

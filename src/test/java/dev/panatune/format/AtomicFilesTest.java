package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.PanatuneException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {
  @TempDir Path directory;

  @Test
  void writesAndReplaces() throws IOException {
    Path file = directory.resolve("a/b/log.txt");
    AtomicFiles.writeString(file, "first");
    AtomicFiles.writeString(file, "zweite Fassung: ä");
    assertEquals("zweite Fassung: ä", Files.readString(file));
    assertEquals(List.of("log.txt"), Directories.names(file.getParent()));
  }

  @Test
  void aFullDiskIsNamedAndLeavesTheOldFile() throws IOException {
    Path file = directory.resolve("config.json");
    AtomicFiles.writeString(file, "old");
    byte[] content = "x".repeat(200_000).getBytes(StandardCharsets.US_ASCII);
    PanatuneException error =
        assertThrows(
            PanatuneException.class,
            () ->
                AtomicFiles.write(file, out -> out.write(content), FullDisk.withRoomFor(100_000)));
    assertTrue(error.getMessage().contains("config.json"), error.getMessage());
    assertTrue(error.getMessage().contains("the disk is full"), error.getMessage());
    assertEquals("old", Files.readString(file));
    assertEquals(List.of("config.json"), Directories.names(directory));
  }

  @Test
  void contentThatFailsLeavesNothing() throws IOException {
    Path file = directory.resolve("broken");
    assertThrows(
        IllegalStateException.class,
        () ->
            AtomicFiles.write(
                file,
                out -> {
                  out.write(1);
                  throw new IllegalStateException("the producer failed");
                }));
    assertEquals(List.of(), Directories.names(directory));
  }

  @Test
  void aDirectoryInTheWayIsSaid() throws IOException {
    Path file = Files.createDirectory(directory.resolve("taken"));
    PanatuneException error =
        assertThrows(PanatuneException.class, () -> AtomicFiles.writeString(file, "x"));
    assertTrue(error.getMessage().contains("it is a directory"), error.getMessage());
  }

  @Test
  void aFileAsParentIsSaid() throws IOException {
    Path parent = Files.writeString(directory.resolve("file"), "");
    PanatuneException error =
        assertThrows(
            PanatuneException.class, () -> AtomicFiles.writeString(parent.resolve("child"), "x"));
    assertTrue(error.getMessage().contains("child"), error.getMessage());
    assertFalse(Files.isDirectory(parent));
  }
}

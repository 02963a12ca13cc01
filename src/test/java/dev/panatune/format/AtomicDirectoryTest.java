package dev.panatune.format;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.panatune.error.ConfigurationException;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicDirectoryTest {
  @TempDir Path parent;
  private Path target;

  @BeforeEach
  void nameTheTarget() {
    target = parent.resolve("checkpoint-20");
  }

  private void save(String weights) throws IOException {
    try (AtomicDirectory saving = AtomicDirectory.create(target)) {
      Files.writeString(saving.path().resolve("weights"), weights);
      Files.createDirectory(saving.path().resolve("state"));
      Files.writeString(saving.path().resolve("state/rng"), "1234");
      saving.commit();
    }
  }

  @Test
  void aCommittedDirectoryVerifies() throws IOException {
    save("abc");
    assertEquals(List.of("checkpoint-20"), Directories.names(parent));
    Manifest manifest = Manifest.verify(target);
    assertEquals(Set.of("weights", "state/rng"), manifest.files().keySet());
    assertEquals(
        new Manifest.Entry(3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        manifest.files().get("weights"));
  }

  @Test
  void withoutACommitNothingStays() throws IOException {
    try (AtomicDirectory saving = AtomicDirectory.create(target)) {
      Files.writeString(saving.path().resolve("weights"), "abc");
    }
    assertEquals(List.of(), Directories.names(parent));
  }

  @Test
  void theTargetAppearsOnlyWithTheCommit() throws IOException {
    try (AtomicDirectory saving = AtomicDirectory.create(target)) {
      Files.writeString(saving.path().resolve("weights"), "abc");
      assertTrue(Files.notExists(target));
      saving.commit();
      assertTrue(Files.exists(target.resolve(Manifest.FILE_NAME)));
    }
  }

  @Test
  void replacesWhatItSaved() throws IOException {
    save("old");
    save("new weights");
    assertEquals("new weights", Files.readString(target.resolve("weights")));
    Manifest.verify(target);
    assertEquals(List.of("checkpoint-20"), Directories.names(parent));
  }

  @Test
  void replacesAnEmptyDirectory() throws IOException {
    Files.createDirectory(target);
    save("abc");
    Manifest.verify(target);
  }

  @Test
  void deletesADirectoryWithAllItHolds() throws IOException {
    save("abc");
    AtomicDirectory.delete(target);
    assertEquals(List.of(), Directories.names(parent));
    AtomicDirectory.delete(target);
  }

  @Test
  void refusesADirectoryOfSomeoneElse() throws IOException {
    Files.createDirectory(target);
    Files.writeString(target.resolve("thesis.tex"), "years of work");
    ConfigurationException error =
        assertThrows(ConfigurationException.class, () -> AtomicDirectory.create(target));
    assertTrue(error.getMessage().contains("checkpoint-20"), error.getMessage());
    assertEquals(List.of("thesis.tex"), Directories.names(target));
  }

  @Test
  void refusesToReplaceFilesThatWereAddedLater() throws IOException {
    save("abc");
    Files.writeString(target.resolve("notes.txt"), "mine");
    ConfigurationException error =
        assertThrows(ConfigurationException.class, () -> AtomicDirectory.create(target));
    assertTrue(error.getMessage().contains("notes.txt"), error.getMessage());
  }

  @Test
  void refusesLinks() throws IOException {
    try (AtomicDirectory saving = AtomicDirectory.create(target)) {
      Files.createSymbolicLink(saving.path().resolve("link"), parent);
      FormatException error = assertThrows(FormatException.class, saving::commit);
      assertTrue(error.getMessage().contains("link"), error.getMessage());
    }
    assertEquals(List.of(), Directories.names(parent));
  }

  @Test
  void damageIsNamed() throws IOException {
    save("abc");
    Files.writeString(target.resolve("weights"), "abd");
    assertDamaged("\"weights\" is not what was saved");
    Files.writeString(target.resolve("weights"), "ab");
    assertDamaged("\"weights\" has 2 bytes where 3 were saved");
    Files.delete(target.resolve("weights"));
    assertDamaged("\"weights\" is missing");
    Files.delete(target.resolve(Manifest.FILE_NAME));
    assertDamaged("no manifest.json");
  }

  @Test
  void aHostileManifestReadsNoOtherFiles() throws IOException {
    Files.createDirectory(target);
    String entry = "{\"size\": 1, \"sha256\": \"" + "0".repeat(64) + "\"}";
    for (String name : List.of("../secret", "/etc/passwd", "a/../../b", "a\\\\b", "")) {
      Files.writeString(
          target.resolve(Manifest.FILE_NAME),
          "{\"version\": 1, \"files\": {\"" + name + "\": " + entry + "}}");
      assertDamaged("names the file");
    }
    for (String document :
        List.of(
            "",
            "[]",
            "{\"version\": 2, \"files\": {}}",
            "{\"version\": 1}",
            "{\"version\": 1, \"files\": {\"a\": 3}}",
            "{\"version\": 1, \"files\": {\"a\": {\"size\": 1, \"sha256\": \"00\"}}}",
            "{\"version\": 1, \"files\": {}, \"files\": {}}",
            "{\"version\": 1, \"files\": {}} x")) {
      Files.writeString(target.resolve(Manifest.FILE_NAME), document);
      assertDamaged(Manifest.FILE_NAME);
    }
  }

  @Test
  void leftoversOfDeadProcessesAreRemovedAndOthersStay() throws IOException {
    long deadPid = 4_194_305; // above what Linux ever gives to a process
    Path dead = parent.resolve(".checkpoint-20." + deadPid + "-0123456789abcdef.tmp");
    Files.createDirectory(dead);
    Files.writeString(dead.resolve("weights"), "half");
    Files.writeString(parent.resolve(".unrelated.tmp"), "");
    try (AtomicDirectory saving = AtomicDirectory.create(target)) {
      AtomicDirectory.removeLeftovers(parent);
      assertEquals(
          List.of(saving.path().getFileName().toString(), ".unrelated.tmp").stream()
              .sorted()
              .toList(),
          Directories.names(parent));
    }
  }

  private void assertDamaged(String message) {
    FormatException error =
        assertThrows(FormatException.class, () -> Manifest.verify(target), message);
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }
}

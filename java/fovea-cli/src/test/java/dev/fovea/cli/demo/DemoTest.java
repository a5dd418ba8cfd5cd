package dev.fovea.cli.demo;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.StringReader;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class DemoTest {

  @Test
  void theFaqIsWholeAndVaried() throws IOException {
    List<Faq.Entry> faq = Faq.read();
    assertTrue(faq.size() >= 60, "only " + faq.size());
    Set<String> seen = new HashSet<>();
    for (Faq.Entry entry : faq) {
      assertTrue(
          entry.question().endsWith("?") || entry.question().contains("? "), entry.question());
      assertTrue(entry.answer().length() > 60, entry.toString());
      assertTrue(seen.add(entry.question()), "twice: " + entry.question());
      assertTrue(seen.add(entry.answer()), "twice: " + entry.answer());
    }
  }

  @Test
  void answersMayRunOverLines() throws IOException {
    String text = "# a comment\nQ: What?\nA: One\ntwo.\n\nQ: Why?\nA: So.\n";
    assertEquals(
        List.of(new Faq.Entry("What?", "One two."), new Faq.Entry("Why?", "So.")),
        Faq.parse(new BufferedReader(new StringReader(text))));
    BufferedReader unanswered = new BufferedReader(new StringReader("Q: What?\nQ: Why?\nA: So."));
    assertThrows(IOException.class, () -> Faq.parse(unanswered));
  }

  @Test
  void theBestOfAnEntrysEmbeddingsCounts() {
    TextIndex index = new TextIndex();
    index.add(new float[] {1, 0}, new float[] {0, 1});
    index.add(new float[] {0.6f, 0.8f});
    index.add(new float[] {-1, 0});
    List<TextIndex.Hit> hits = index.search(new float[] {0, 1}, 2);
    assertEquals(List.of(0, 1), hits.stream().map(TextIndex.Hit::entry).toList());
    assertEquals(1, hits.getFirst().score(), 1e-6);
  }

  @Test
  void linesBreakAtSpaces() {
    assertEquals(List.of("one two", "three"), Wrap.lines("one two three", 8));
    assertEquals(List.of("unbreakable"), Wrap.lines("unbreakable", 4));
  }
}

/** Sentence encoders: embeddings of texts by BERT models, from their files. */
@SuppressWarnings("requires-automatic") // artifacts of others that have no module descriptor
module dev.fovea.encoder {
  requires ai.djl.tokenizers;
  requires com.google.gson;
  requires com.google.protobuf;
  requires dev.fovea;
  requires dev.fovea.ffi;
  requires dev.fovea.nn;
  requires org.slf4j; // for ai.djl, which has no descriptor to say so

  exports dev.fovea.encoder;
}

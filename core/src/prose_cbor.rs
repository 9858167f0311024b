//! How prose and splices are written: `prose = {0: text, 1: [token], 2: [marker]}`, `token = [at, kind, id]`,
//! `marker = [at, kind, value]`, `splice = [at, delete, prose]`.

use minicbor::decode::Error as DecodeError;
use minicbor::encode::{Error as EncodeError, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};

use crate::text::{Layer, Mark, MarkAt, Prose, Splice, Token, TokenAt};

impl<C> Encode<C> for TokenAt {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(3)?.u32(self.at)?;
        match &self.token {
            Token::Person(id) => e.u8(0)?.encode_with(id, ctx)?.ok(),
            Token::Place(id) => e.u8(1)?.encode_with(id, ctx)?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for TokenAt {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = row(d)?;
        let token = match d.u8()? {
            0 => Token::Person(d.decode_with(ctx)?),
            1 => Token::Place(d.decode_with(ctx)?),
            _ => return Err(DecodeError::message("token of an unknown kind")),
        };
        Ok(Self { at, token })
    }
}

impl<C> Encode<C> for MarkAt {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(3)?.u32(self.at)?;
        match &self.mark {
            Mark::Layer(layer) => e.u8(0)?.encode_with(layer, ctx)?.ok(),
            Mark::Turn(speaker) => e.u8(1)?.encode_with(speaker, ctx)?.ok(),
            Mark::Other => e.u8(2)?.null()?.ok(),
        }
    }
}

impl<'b, C> Decode<'b, C> for MarkAt {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = row(d)?;
        let mark = match d.u8()? {
            0 => Mark::Layer(d.decode_with::<C, Layer>(ctx)?),
            1 => Mark::Turn(d.decode_with(ctx)?),
            2 => d.null().map(|()| Mark::Other)?,
            _ => return Err(DecodeError::message("marker of an unknown kind")),
        };
        Ok(Self { at, mark })
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Written {
    #[n(0)]
    text: String,
    #[n(1)]
    tokens: Vec<TokenAt>,
    #[n(2)]
    marks: Vec<MarkAt>,
}

impl<C> Encode<C> for Prose {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.map(3)?.u8(0)?.str(self.text())?;
        e.u8(1)?.encode_with(self.tokens(), ctx)?;
        e.u8(2)?.encode_with(self.marks(), ctx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Prose {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = d.position();
        let Written { text, tokens, marks } = d.decode_with(ctx)?;
        Self::new(text, tokens, marks).map_err(|error| DecodeError::message(error).at(at))
    }
}

impl<C> Encode<C> for Splice {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), EncodeError<W::Error>> {
        e.array(3)?.u32(self.at)?.u32(self.delete)?.encode_with(Prose::from_units(&self.insert), ctx)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Splice {
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, DecodeError> {
        let at = row(d)?;
        Ok(Self { at, delete: d.u32()?, insert: d.decode_with::<C, Prose>(ctx)?.units() })
    }
}

/// Reads the beginning of a row of three, and its first member, a position.
fn row(d: &mut Decoder<'_>) -> Result<u32, DecodeError> {
    match d.array()? {
        Some(3) => d.u32(),
        _ => Err(DecodeError::message("a row of three is wanted")),
    }
}

#[cfg(test)]
mod tests {
    use thicket_protocol::cbor::{decode, encode};

    use super::*;
    use crate::ids::{ParticipantId, PlaceId};
    use crate::text::Unit;

    fn every_kind() -> Vec<Unit> {
        let person = ParticipantId::from_bytes([0x11; 16]);
        let place = PlaceId::from_bytes([0x22; 16]);
        vec![
            Unit::Mark(Mark::Layer(Layer::Speech)),
            Unit::Mark(Mark::Turn(Some(person))),
            Unit::Char('é'),
            Unit::Token(Token::Person(person)),
            Unit::Char('\u{fffc}'),
            Unit::Token(Token::Place(place)),
            Unit::Mark(Mark::Turn(None)),
            Unit::Mark(Mark::Other),
        ]
    }

    #[test]
    fn a_splice_reads_back_as_it_was_written() {
        let splice = Splice { at: 7, delete: 300, insert: every_kind() };
        let bytes = encode(&splice);
        assert_eq!(decode::<Splice>(&bytes).expect("canonical"), splice);
        insta::assert_snapshot!(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }

    #[test]
    fn a_broken_splice_is_an_error_and_never_a_panic() {
        let bytes = encode(&Splice { at: 7, delete: 300, insert: every_kind() });
        for at in 0..bytes.len() {
            assert!(decode::<Splice>(bytes.get(..at).expect("shorter")).is_err());
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << bit);
                if let Ok(splice) = decode::<Splice>(&broken) {
                    assert_eq!(
                        decode::<Splice>(&encode(&splice)).expect("what was read can be written"),
                        splice
                    );
                }
            }
        }
    }
}

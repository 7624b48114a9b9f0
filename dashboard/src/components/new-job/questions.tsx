// What a preset leaves open, asked in plain words.
import type { Question } from "~/api/types";

interface Props {
  questions: Question[];
  /** Which answer was chosen, by the question's text; the first if none was. */
  answers: Record<string, number>;
  onAnswer: (question: Question, index: number) => void;
}

export function Questions({ questions, answers, onAnswer }: Props) {
  return (
    <div className="mt-4 grid gap-4 @lg:grid-cols-2">
      {questions.map((question) => {
        const chosen = answers[question.text] ?? 0;
        return (
          <fieldset key={question.text} className="min-w-0 rounded-lg border p-3">
            <legend className="px-1 font-medium">{question.text}</legend>
            <div className="flex flex-col gap-1">
              {question.answers.map((answer, index) => (
                <label key={answer.text} className="flex min-h-6 cursor-pointer items-start gap-2">
                  <input
                    type="radio"
                    name={question.text}
                    checked={chosen === index}
                    onChange={() => onAnswer(question, index)}
                    className="mt-1 size-4 shrink-0 accent-accent"
                  />
                  <span className="min-w-0">
                    {answer.text}
                    {answer.captions && <span className="block text-muted text-xs">{answer.captions}</span>}
                  </span>
                </label>
              ))}
            </div>
            <p className="mt-2 text-muted text-xs">{question.why}</p>
          </fieldset>
        );
      })}
    </div>
  );
}

// What `parley types --lang typescript` prints, as far as this app uses it.

export interface TypedDatabase {
  public: {
    Tables: {
      companies: { Row: { tenant_id: string; name: string } };
      documents: {
        Row: {
          id: number;
          tenant_id: string;
          title: string;
          state: "new" | "read" | "booked";
          received_at: string;
        };
      };
      payments: {
        Row: {
          id: number;
          tenant_id: string;
          payee: string;
          amount: number;
          status: "open" | "paid";
          due_on: string;
        };
      };
      statements: { Row: { id: number; tenant_id: string; month: string; balance: number } };
    };
  };
}
